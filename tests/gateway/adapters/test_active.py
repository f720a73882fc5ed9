"""Which adapters are in service, what their drift says, and how often it is said."""

import logging
from pathlib import Path

import pytest
from mcp.types import Tool

from gateway.adapters.active import ActiveAdapters
from gateway.config import ServerConfig
from gateway.drift import NO_DRIFT
from gateway.drift_policy import DriftDefault, DriftPolicy
from gateway.errors import UnknownModel
from gateway.manifest import OFFERED, Adapter, read_adapter
from gateway.observe import Metrics
from gateway.toolsets.catalog import Catalog, build_catalog
from gateway.toolsets.listing import Listing
from gateway.types import Toolset
from mcp_servers.support.toolset import toolset as support_revision
from tests.adapters import support_toolset, write_adapter

SERVER = ServerConfig(name="support", url="http://localhost:1/mcp")
R1 = support_toolset().tools
R2 = support_revision(2).tools


def catalog(tools: tuple[Tool, ...] = R1) -> Catalog:
    return build_catalog([(SERVER, Listing(tools))], [])


def table(policy: DriftDefault = "mask", metrics: Metrics | None = None) -> ActiveAdapters:
    return ActiveAdapters(DriftPolicy(policy=policy), metrics or Metrics(), lambda _: True)


def adapter(tmp_path: Path, name: str = "support", **more: object) -> Adapter:
    return read_adapter(write_adapter(tmp_path / name, name=name, **more))  # type: ignore[arg-type]


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [r for r in caplog.records if getattr(r, "event", "") == "toolset_drift"]


def test_an_adapter_on_the_toolset_it_was_trained_on_has_no_drift(tmp_path: Path) -> None:
    active = table()
    active.on_catalog(catalog())
    entry = active.put(adapter(tmp_path), "support")
    assert entry.live is not None
    assert entry.live.fingerprint == entry.adapter.toolset.fingerprint
    assert (entry.drift.worst, entry.drift_header) == ("none", None)


def test_the_header_names_grade_adapter_and_tools(tmp_path: Path) -> None:
    active = table()
    active.put(adapter(tmp_path), "support")
    active.on_catalog(catalog(R2))
    assert active.all[0].drift_header == (
        "removed; adapter=support; tools=request_refund,schedule_pickup,exchange_item,"
        "check_stock,stock_level,escalate,gift_wrap"
    )


def test_the_header_names_ten_tools_at_most(tmp_path: Path) -> None:
    active = table()
    active.put(adapter(tmp_path), "support")
    active.on_catalog(catalog((*R2, *(t.model_copy(update={"name": f"x_{t.name}"}) for t in R2))))
    header = active.all[0].drift_header
    assert header is not None
    assert len(header.partition("tools=")[2].split(",")) == 10


def test_each_live_fingerprint_is_warned_of_once_per_adapter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    active = table()
    active.on_catalog(catalog(R2))
    for name in ("one", "two"):
        active.put(adapter(tmp_path, name), "support")
    for tools in (R2, R1, R2, tuple(reversed(R2))):
        active.on_catalog(catalog(tools))
    assert [r.__dict__["adapter"].partition("@")[0] for r in warnings(caplog)] == ["one", "two"]
    active.on_catalog(catalog(R2[1:]))
    assert len(warnings(caplog)) == 4


def test_the_warning_tells_the_whole_drift_and_what_is_done_about_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    active = table()
    entry = active.put(adapter(tmp_path), "support")
    active.on_catalog(catalog(R2))
    (line,) = warnings(caplog)
    assert line.levelno == logging.WARNING
    fields = line.__dict__
    assert fields["adapter"] == entry.adapter.version
    assert (fields["toolset"], fields["grade"], fields["action"]) == ("support", "removed", "mask")
    assert fields["trained_fingerprint"] == support_toolset().fingerprint
    assert fields["live_fingerprint"] == Toolset("support", R2).fingerprint
    assert fields["masked"] == ["request_refund", "schedule_pickup", "exchange_item", "check_stock"]
    refund = next(tool for tool in fields["tools"] if tool["tool"] == "request_refund")
    assert refund["changes"][0]["pointer"] == "/inputSchema/properties/currency"
    assert "check_stock renamed to stock_level" in line.getMessage()
    assert "withheld: request_refund" in line.getMessage()
    assert "track_order" not in line.getMessage()


def test_under_the_policy_warn_nothing_is_said_to_be_withheld(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    active = table("warn")
    active.put(adapter(tmp_path), "support")
    active.on_catalog(catalog(R2))
    (line,) = warnings(caplog)
    assert line.__dict__["masked"] == []
    assert "withheld" not in line.getMessage()


def test_notation_is_logged_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    active = table()
    active.put(adapter(tmp_path), "support")
    active.on_catalog(catalog((R1[0].model_copy(update={"title": "Where is it?"}), *R1[1:])))
    (line,) = warnings(caplog)
    assert (line.levelno, line.__dict__["grade"]) == (logging.INFO, "notation")
    assert active.all[0].drift_header == "notation; adapter=support; tools=track_order"


def test_an_adapter_trained_on_varied_tools_has_no_drift_and_is_asked_about_the_live_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    active = table(metrics=metrics)
    general = adapter(tmp_path, toolset_mode="varied", prompt={"form": "lines"})
    active.put(general, "support")
    active.on_catalog(catalog(R2))
    (entry,) = active.all
    assert (entry.drift, entry.drift_header, warnings(caplog)) == (NO_DRIFT, None, [])
    assert active.drift_to(general, "support") == NO_DRIFT
    labels = {"adapter": general.version}
    assert metrics.registry.get_sample_value("pointsman_drift_grade", labels) == 0
    assert entry.asked.toolset == Toolset(OFFERED, R2)


def test_any_other_adapter_is_asked_about_the_tools_it_learned(tmp_path: Path) -> None:
    active = table()
    active.on_catalog(catalog(R2))
    entry = active.put(adapter(tmp_path), "support")
    assert entry.asked is entry.adapter


def test_a_toolset_that_is_not_listed_yet_is_not_judged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listed: set[str] = set()
    active = ActiveAdapters(DriftPolicy(), Metrics(), lambda toolset: toolset in listed)
    active.put(adapter(tmp_path), "support")
    active.on_catalog(catalog(R2))
    (entry,) = active.all
    assert (entry.live, entry.drift_header, warnings(caplog)) == (None, None, [])
    assert active.drift_to(entry.adapter, "support") is None
    listed.add("support")
    active.on_catalog(catalog(R2))
    assert active.all[0].drift.worst == "removed"


def test_the_metric_follows_the_version_in_service(tmp_path: Path) -> None:
    metrics = Metrics()
    active = table(metrics=metrics)
    active.on_catalog(catalog(R2))

    def grade(version: str) -> float | None:
        labels = {"adapter": version}
        return metrics.registry.get_sample_value("pointsman_drift_grade", labels)

    old = active.put(adapter(tmp_path), "support").adapter.version
    assert grade(old) == 7
    live = write_adapter(tmp_path / "new", Toolset("support", R2))
    new = active.put(read_adapter(live), "support").adapter.version
    assert (grade(old), grade(new)) == (None, 0)


def test_names_versions_toolsets_and_auto_all_find_an_adapter(tmp_path: Path) -> None:
    active = table()
    first = active.put(adapter(tmp_path, "first"), "desk")
    second = active.put(adapter(tmp_path, "second"), "store")
    for model in (None, "", "auto", "first", "desk", first.adapter.version):
        assert active.resolve(model) is first
    for model in ("second", "store", second.adapter.version):
        assert active.resolve(model) is second
    for model in ("third", "second@", "FIRST", "first@00000000"):
        with pytest.raises(UnknownModel, match="in service: first, second"):
            active.resolve(model)


def test_a_new_version_keeps_its_names_place(tmp_path: Path) -> None:
    active = table()
    for name in ("first", "second"):
        active.put(adapter(tmp_path, name), "support")
    new = active.put(adapter(tmp_path, "first", rank=32), "support")
    assert active.resolve("auto") is new


def test_with_nothing_in_service_even_auto_is_unknown() -> None:
    with pytest.raises(UnknownModel, match="in service: none"):
        table().resolve("auto")
