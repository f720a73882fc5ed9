"""What `/metrics` says of a gateway at work, read by the parser of the format it claims to be."""

from collections.abc import Mapping
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from gateway.observe import Metrics
from tests.gateway.serving import Served, desk, served, settings

OPEN = {"accept": "application/openmetrics-text; version=1.0.0"}
POINT_6 = {
    "pointsman_requests": "counter",
    "pointsman_routes": "counter",
    "pointsman_dispatches": "counter",
    "pointsman_step_seconds": "histogram",
    "pointsman_route_seconds": "histogram",
    "pointsman_tokens": "counter",
    "pointsman_upstream_up": "gauge",
    "pointsman_drift_grade": "gauge",
    "pointsman_answers": "counter",
}


async def told(gateway: Served) -> Mapping[str, list[Sample]]:
    """Family name -> samples, as an OpenMetrics scraper reads them."""
    reply = await gateway.client.get("/metrics", headers=OPEN)
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    return {family.name: family.samples for family in text_string_to_metric_families(reply.text)}


def value(samples: list[Sample], name: str, **labels: str) -> float:
    """The value of the one sample of that name with these labels."""
    (found,) = [
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found


def test_every_family_has_its_kind_and_a_name_by_the_conventions() -> None:
    body, _ = Metrics().rendered(OPEN["accept"])
    families = {found.name: found for found in text_string_to_metric_families(body.decode())}
    assert {name: families[name].type for name in POINT_6} == POINT_6
    for name, family in families.items():
        assert name.startswith("pointsman_")
        assert not name.endswith(("_total", "_count", "_sum", "_ms", "_created"))
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert name.endswith(("_seconds", "_confidence"))


async def test_requests_and_steps_are_counted_per_face_outcome_and_version(tmp_path: Path) -> None:
    async with served(settings(tmp_path, desk(tmp_path / "desk").config())) as gateway:
        await gateway.route(dispatch=True)
        await gateway.call("nothing_of_the_kind", {})
        found = await told(gateway)
        version = gateway.parts.active.all[0].adapter.version
    requests = found["pointsman_requests"]
    total = "pointsman_requests_total"
    assert value(requests, total, outcome="call") == 1
    assert value(requests, total, outcome="unknown_tool") == 1
    steps = found["pointsman_step_seconds"]
    for step in ("route", "validate", "dispatch", "total"):
        assert value(steps, "pointsman_step_seconds_count", step=step) == 1
    for family in ("pointsman_routes", "pointsman_tokens", "pointsman_route_seconds"):
        assert {sample.labels["model"] for sample in found[family]} == {version}
    assert value(found["pointsman_drift_grade"], "pointsman_drift_grade", adapter=version) == 0


def test_a_server_that_was_removed_has_no_health() -> None:
    metrics = Metrics()
    metrics.health({"kept": True, "removed": True}, {})
    metrics.health({"kept": False}, {})
    text = metrics.text().decode()
    assert 'pointsman_upstream_up{server="kept"} 0.0' in text
    assert 'server="removed"' not in text


def test_a_scraper_that_asks_for_nothing_gets_the_text_format() -> None:
    body, media_type = Metrics().rendered("")
    assert media_type.startswith("text/plain")
    assert not body.endswith(b"# EOF\n")
