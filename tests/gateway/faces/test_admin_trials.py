"""The operator's API for versions on trial."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.manifest import read_adapter
from tests.adapters import write_adapter
from tests.gateway.serving import Served, desk, problem_of, served, settings

FIGURES = {
    "requests", "outcomes", "errors", "compared", "disagreements", "dropped", "latency_ms",
    "confidence",
}  # fmt: skip


@asynccontextmanager
async def two_versions(tmp_path: Path) -> AsyncIterator[tuple[Served, str, str]]:
    """A gateway with one version in service and a newer one in the store."""
    script = desk(tmp_path / "desk")
    old, new = write_adapter(tmp_path / "old"), write_adapter(tmp_path / "new", rank=32)
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:
        for folder in (old, new):
            await gateway.post("/admin/adapters", {"folder": str(folder)})
        v1, v2 = read_adapter(old).version, read_adapter(new).version
        await gateway.client.post(f"/admin/adapters/{v1}/activate")
        yield gateway, v1, v2


async def listed(gateway: Served) -> dict[str, dict[str, Any]]:
    adapters = (await gateway.client.get("/admin/adapters")).json()["adapters"]
    return {adapter["version"]: adapter for adapter in adapters}


async def test_a_canary_is_shown_with_the_figures_of_both_versions(tmp_path: Path) -> None:
    async with two_versions(tmp_path) as (gateway, v1, v2):
        body = {"canary": 12.5, "auto": True}
        started = (await gateway.post(f"/admin/adapters/{v2}/activate", body)).json()
        assert (started["in_service"], started["toolset"]) == (False, "support")
        for number in range(40):
            await gateway.client.post(
                "/v1/route", json={"request": "hi"}, headers={"X-Conversation-Id": str(number)}
            )
        adapters = await listed(gateway)
        trial = adapters[v2]["trial"]
        assert trial == adapters[v1]["trial"]
        assert (trial["version"], trial["kind"], trial["share"]) == (v2, "canary", 12.5)
        assert trial["auto"] is True
        figures = trial["figures"]
        assert [set(f) for f in figures.values()] == [FIGURES, FIGURES]
        assert figures[v1]["requests"] + figures[v2]["requests"] == 40
        assert figures[v1]["outcomes"] == {"no_tool": figures[v1]["requests"]}


@pytest.mark.parametrize("named", ["support", "VERSION"])
async def test_a_shadow_is_promoted(tmp_path: Path, named: str) -> None:
    async with two_versions(tmp_path) as (gateway, v1, v2):
        await gateway.post(f"/admin/adapters/{v2}/activate", {"shadow": True})
        assert (await gateway.route("hi")).json()["model"] == v1
        name = v2 if named == "VERSION" else named
        promoted = (await gateway.client.post(f"/admin/adapters/{name}/promote")).json()
        assert (promoted["version"], promoted["previous"], promoted["trial"]) == (v2, v1, None)
        assert (await gateway.route("hi")).json()["model"] == v2


async def test_a_rollback_ends_a_trial(tmp_path: Path) -> None:
    async with two_versions(tmp_path) as (gateway, v1, v2):
        await gateway.post(f"/admin/adapters/{v2}/activate", {"canary": 50})
        response = await gateway.client.delete(f"/admin/adapters/{v2}")
        assert "is on trial" in problem_of(response)["detail"]
        back = (await gateway.client.post("/admin/adapters/support/rollback")).json()
        assert (back["version"], back["trial"]) == (v1, None)
        assert (await listed(gateway))[v2]["trial"] is None
        response = await gateway.client.delete(f"/admin/adapters/{v2}")
        assert response.json() == {"removed": v2}


@pytest.mark.parametrize(
    "body",
    [
        {"canary": 0},
        {"canary": 51},
        {"canary": -1},
        {"canary": "x"},
        {"canary": 10, "shadow": True},
        {"auto": True},
        {"shadow": True, "toolset": "support"},
        {"share": 10},
    ],
)
async def test_a_malformed_trial_is_refused(tmp_path: Path, body: dict[str, Any]) -> None:
    async with two_versions(tmp_path) as (gateway, v1, v2):
        problem = problem_of(await gateway.post(f"/admin/adapters/{v2}/activate", body))
        assert (problem["status"], problem["code"]) == (422, "malformed_request")
        adapters = await listed(gateway)
        assert (adapters[v1]["in_service"], adapters[v1]["trial"]) == (True, None)


async def test_what_is_not_on_trial_cannot_be_promoted(tmp_path: Path) -> None:
    async with two_versions(tmp_path) as (gateway, v1, v2):
        for name, status in (("support", 409), (v1, 409), (v2, 409), ("nope", 404)):
            problem = problem_of(await gateway.client.post(f"/admin/adapters/{name}/promote"))
            assert problem["status"] == status
        await gateway.post(f"/admin/adapters/{v2}/activate", {"shadow": True})
        assert problem_of(await gateway.client.post(f"/admin/adapters/{v1}/promote"))
        assert (await listed(gateway))[v1]["in_service"] is True


@pytest.mark.parametrize("name", ["..%2F..%2Fetc", "%2Fetc%2Fpasswd", "support@..%2F..%2F"])
async def test_a_path_is_no_name_of_an_adapter(tmp_path: Path, name: str) -> None:
    async with two_versions(tmp_path) as (gateway, v1, _):
        for verb in ("activate", "promote", "rollback"):
            response = await gateway.client.post(f"/admin/adapters/{name}/{verb}")
            assert response.status_code in (404, 409)
        assert (await gateway.client.delete(f"/admin/adapters/{name}")).status_code in (404, 405)
        assert (await listed(gateway))[v1]["in_service"] is True
