"""`POST /admin/calls/{id}/label`: what a person says a recorded call ought to have been."""

from pathlib import Path
from typing import Any

import pytest

from tests.gateway.serving import TRACK, Served, desk, problem_of, served, settings

NO_TOOL = {"tool": "no_tool", "reason": "chat"}


async def latest(gateway: Served) -> dict[str, Any]:
    return (await gateway.client.get("/admin/calls?limit=1")).json()["calls"][0]


async def label(gateway: Served, call_id: str, target: Any) -> Any:
    return await gateway.post(f"/admin/calls/{call_id}/label", {"target": target})


async def test_a_labelled_call_tells_its_label_and_can_be_asked_for(tmp_path: Path) -> None:
    async with served(settings(tmp_path, desk(tmp_path / "desk").config())) as gateway:
        for request in ("where is ORD-1234?", "hello", "bye"):
            await gateway.route(request)
        bye, hello, asked = (await gateway.client.get("/admin/calls")).json()["calls"]
        response = await label(gateway, asked["id"], "right")
        assert response.json() == {"id": asked["id"], "label": "right"}
        await label(gateway, hello["id"], TRACK)
        await label(gateway, hello["id"], NO_TOOL)
        listed = (await gateway.client.get("/admin/calls")).json()["calls"]
        assert [call.get("label") for call in listed] == [None, NO_TOOL, "right"]
        assert listed[0] == bye
        one = (await gateway.client.get("/admin/calls?labelled=true&offset=1")).json()["calls"]
        assert [call["id"] for call in one] == [asked["id"]]


async def test_an_unknown_call_is_not_found(tmp_path: Path) -> None:
    async with served(settings(tmp_path, adapter=False)) as gateway:
        problem = problem_of(await label(gateway, "route_1", "right"))
        assert (problem["status"], problem["code"]) == (404, "not_found")
        assert "route_1" in problem["detail"]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("good", "malformed_request"),
        (3, "malformed_request"),
        (None, "malformed_request"),
        ({}, "malformed_request"),
        ({"tool": "fly", "arguments": {}}, "malformed_request"),
        ({"tool": "track_order", "arguments": {"order_id": float("nan")}}, "malformed_request"),
        ({"tool": "track_order", "arguments": {"order_id": "half \ud83d"}}, "invalid_arguments"),
        ({"tool": "track_order", "arguments": {"order_id": "12"}}, "invalid_arguments"),
    ],
)
async def test_an_invalid_target_is_refused_and_nothing_kept(
    tmp_path: Path, target: Any, code: str
) -> None:
    async with served(settings(tmp_path, desk(tmp_path / "desk").config())) as gateway:
        await gateway.route()
        call = await latest(gateway)
        problem = problem_of(await label(gateway, call["id"], target))
        assert (problem["status"], problem["code"]) == (422, code)
        if code == "invalid_arguments":
            assert problem["errors"][0]["pointer"] in ("", "/order_id")
        assert "label" not in await latest(gateway)


async def test_a_call_recorded_without_its_words_takes_no_label(tmp_path: Path) -> None:
    config = settings(tmp_path, desk(tmp_path / "desk").config(), records={"arguments": False})
    async with served(config) as gateway:
        await gateway.route()
        problem = problem_of(await label(gateway, (await latest(gateway))["id"], TRACK))
        assert (problem["status"], problem["code"]) == (409, "conflict")


async def test_an_agent_may_not_label(tmp_path: Path) -> None:
    auth = {"agent_keys": ("agent-key",), "admin_keys": ("admin-key",)}
    headers = {"authorization": "Bearer agent-key"}
    async with served(settings(tmp_path, adapter=False, auth=auth), headers=headers) as gateway:
        assert problem_of(await label(gateway, "route_1", "right"))["status"] == 403
