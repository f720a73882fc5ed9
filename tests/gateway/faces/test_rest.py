"""Our own REST API: what it answers, and that nothing is dispatched on any error."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Completion, Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import EngineDown
from mcp_servers.support.desk import Desk, open_database
from mcp_servers.support.server import SupportServer
from tests.gateway.serving import (
    ASK,
    TRACK,
    desk,
    dispatched,
    problem_of,
    served,
    settings,
    tell_desk,
)
from tests.gateway.toolsets.upstream_doubles import at, http, tool
from tests.mcp_servers.conftest import TODAY


async def test_a_request_is_routed_and_dispatched_on_the_real_order_desk(tmp_path: Path) -> None:
    desk = Desk(open_database(None), lambda: TODAY)
    app = SupportServer(desk).streamable_http_app(streamable_http_path="/mcp", host="127.0.0.1")
    answer = {"tool": "check_stock", "arguments": {"sku": "SKU-MUG12"}}
    engine = ScriptedEngine({"any SKU-MUG12 left?": answer})
    async with http(app) as port, served(settings(tmp_path, at(port)), engine) as gateway:
        body = (await gateway.route("any SKU-MUG12 left?", dispatch=True)).json()
        called = (await gateway.call(**answer)).json()
        listed = (await gateway.client.get("/v1/tools")).json()
    desk.close()
    assert (body["outcome"], body["call"]) == ("call", answer)
    assert body["results"] == [called]
    assert called["structuredContent"]["sku"] == "SKU-MUG12"
    assert not called.get("isError")
    assert [t["name"] for t in listed["tools"]][:2] == ["track_order", "list_orders"]
    assert {t["server"] for t in listed["tools"]} == {"live"}


async def test_a_failed_tool_is_a_result_and_no_error(tmp_path: Path) -> None:
    desk = Desk(open_database(None), lambda: TODAY)
    app = SupportServer(desk).streamable_http_app(streamable_http_path="/mcp", host="127.0.0.1")
    async with http(app) as port, served(settings(tmp_path, at(port))) as gateway:
        response = await gateway.call("check_stock", {"sku": "SKU-NOSUCH"})
    desk.close()
    assert response.status_code == 200
    assert response.json()["isError"] is True


async def test_tools_are_listed_with_fingerprints_and_toolsets(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config(prefix="x_"))) as gateway:
        body = (await gateway.client.get("/v1/tools")).json()
        toolset = gateway.parts.watch.catalog.toolsets["support"]
    first = body["tools"][0]
    assert (first["name"], first["server"]) == ("x_track_order", "script")
    assert first["fingerprint"] == toolset.fingerprints["x_track_order"]
    assert body["toolsets"][-1]["fingerprint"] == toolset.fingerprint
    assert body["left_out"] == []


async def test_a_conversation_may_stand_for_the_request(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    messages = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "How can I help?"},
        {"role": "user", "content": ASK},
    ]
    async with served(settings(tmp_path, script.config())) as gateway:
        response = await gateway.client.post("/v1/route", json={"messages": messages})
        assert response.json()["call"] == TRACK
        assert dispatched(script) == 0


async def test_the_drift_header_is_there_only_with_drift(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        assert "X-Pointsman-Drift" not in (await gateway.route()).headers
        tell_desk(script, 2)
        await gateway.client.post("/admin/servers/script/refresh")
        header = (await gateway.route()).headers["X-Pointsman-Drift"]
    assert header.startswith("removed; adapter=support; tools=request_refund,")


MALFORMED: list[tuple[str, Any, str]] = [
    ("/v1/route", {}, ""),
    ("/v1/route", {"request": ASK, "messages": [{"role": "user", "content": ASK}]}, ""),
    ("/v1/route", {"request": ""}, "/request"),
    ("/v1/route", {"request": 5}, "/request"),
    ("/v1/route", {"request": "half \ud83d a pair"}, "/request"),
    ("/v1/route", {"messages": []}, "/messages"),
    ("/v1/route", {"messages": [{"role": "user", "content": "half \ud83d a pair"}]}, ""),
    ("/v1/route", {"messages": [{"role": "robot", "content": ""}]}, "/messages/0/role"),
    ("/v1/route", {"messages": [{"role": "user"}]}, "/messages/0/content"),
    ("/v1/route", {"request": ASK, "threshold": 1.5}, "/threshold"),
    ("/v1/route", {"request": ASK, "threshold": -1}, "/threshold"),
    ("/v1/route", {"request": ASK, "threshold": float("nan")}, "/threshold"),
    ("/v1/route", {"request": ASK, "dispatch": "perhaps"}, "/dispatch"),
    ("/v1/route", {"request": ASK, "a/b~c": 1}, "/a~1b~0c"),
    ("/v1/route", {"request": ASK, "\ud800": 1}, ""),
    ("/v1/route", [], ""),
    ("/v1/route", None, ""),
    ("/v1/route", b"", ""),
    ("/v1/route", b"{", ""),
    ("/v1/route", b"\xff\xfe\x00", ""),
    ("/v1/route", b"[" * 100_000, ""),
    ("/v1/route", b'{"request": "x", "threshold": 1' + b"0" * 5000 + b"}", ""),
    ("/v1/tools/call", {}, "/tool"),
    ("/v1/tools/call", {"tool": "track_order", "arguments": []}, "/arguments"),
    ("/v1/tools/call", {"tool": "track_order", "arguments": "{}"}, "/arguments"),
    ("/v1/tools/call", {"tool": "track_order", "arguments": None}, "/arguments"),
    ("/v1/tools/call", {"tool": 1}, "/tool"),
    ("/v1/tools/call", {"tool": "x", "args": {}}, "/args"),
]


async def test_malformed_bodies_are_refused_with_pointers_and_nothing_runs(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        for path, body, pointer in MALFORMED:
            problem = problem_of(await gateway.post(path, body))
            found = (problem["status"], problem["code"], problem.get("errors", [{}])[0])
            assert found[:2] == (422, "malformed_request"), (path, body, problem)
            assert found[2].get("pointer", "") == pointer, (path, body, problem)
        assert dispatched(script) == 0


@pytest.mark.parametrize(
    ("arguments", "pointers"),
    [
        ({}, [""]),
        ({"order_id": "1234"}, ["/order_id"]),
        ({"order_id": "ORD-1234", "x": 1}, [""]),
        ({"order_id": "half \ud83d a pair"}, [""]),
        ({"order_id": float("nan")}, ["/order_id"]),
        ({"order_id": ["🦊", None]}, ["/order_id"]),
        ({"order_id": {"a": [[[{}]]]}}, ["/order_id"]),
    ],
)
async def test_arguments_that_break_the_schema_are_refused_with_pointers(
    tmp_path: Path, arguments: dict[str, Any], pointers: list[str]
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        body = {"tool": "track_order", "arguments": arguments}
        problem = problem_of(await gateway.post("/v1/tools/call", body))
        assert dispatched(script) == 0
        kept = await gateway.client.get("/admin/calls")
    assert (problem["status"], problem["code"]) == (422, "invalid_arguments")
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert kept.json()["calls"][0]["outcome"] == "invalid_arguments"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "half \ud83d a pair"])
async def test_what_json_cannot_carry_is_refused_even_where_the_schema_takes_all(
    tmp_path: Path, value: Any
) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages([tool("any")])
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:
        body = {"tool": "any", "arguments": {"value": value}}
        problem = problem_of(await gateway.post("/v1/tools/call", body))
        assert (problem["status"], problem["code"]) == (422, "invalid_arguments")
        assert dispatched(script) == 0
        assert (await gateway.client.get("/admin/calls")).status_code == 200


async def test_text_of_every_script_goes_through_unchanged(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages([tool("echo")])
    text = "naïve 日本語 \U0010ffff 🦊 \u202e\u0000 e\u0301"
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:
        response = await gateway.call("echo", {"text": text})
    assert json.loads(response.json()["content"][0]["text"].removeprefix("echo")) == {"text": text}


async def test_a_model_that_writes_half_a_pair_is_answered_for(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    engine = ScriptedEngine(lambda _: '{"tool": "no_tool", "reason": "\\ud800"}')
    async with served(settings(tmp_path, script.config()), engine) as gateway:
        response = await gateway.route()
        assert response.status_code == 200
        assert response.json()["reason"] == "\ud800"
        kept = (await gateway.client.get("/admin/calls")).json()["calls"]
    assert kept[0]["reason"] == "\ud800"


async def test_an_unknown_tool_or_model_is_not_found(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        for name in ("no_such", "", "🦊", "\ud800", "track_order\u0000"):
            body = {"tool": name, "arguments": TRACK["arguments"]}
            problem = problem_of(await gateway.post("/v1/tools/call", body))
            assert (problem["status"], problem["code"]) == (404, "unknown_tool")
        problem = problem_of(await gateway.route(model="gpt-6", dispatch=True))
        assert (problem["status"], problem["code"]) == (404, "unknown_model")
        problem = problem_of(await gateway.client.get("/v2/route"))
        assert (problem["status"], problem["code"]) == (404, "not_found")
        problem = problem_of(await gateway.client.delete("/v1/route"))
        assert (problem["status"], problem["code"]) == (405, "method_not_allowed")
        assert dispatched(script) == 0


async def test_a_conversation_that_does_not_fit_is_too_large(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        problem = problem_of(await gateway.route("help! " * 16_667, dispatch=True))
        assert (problem["status"], problem["code"]) == (413, "too_large")
        assert dispatched(script) == 0


@pytest.mark.parametrize(
    ("name", "status", "code"), [("die", 502, "upstream_down"), ("hang", 504, "upstream_timeout")]
)
async def test_a_server_that_fails_is_a_gateway_error(
    tmp_path: Path, name: str, status: int, code: str
) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages([tool(name)])
    config = settings(tmp_path, script.config(timeout_s=0.2), adapter=False)
    async with served(config) as gateway:
        problem = problem_of(await gateway.call(name, {}))
        assert (problem["status"], problem["code"]) == (status, code)
        kept = (await gateway.client.get("/admin/calls")).json()["calls"]
    assert kept[0]["outcome"] == code


class DownEngine(ScriptedEngine):
    async def complete(self, prompt: Prompt) -> Completion:
        raise EngineDown("the engine is stopped")


class BrokenEngine(ScriptedEngine):
    async def complete(self, prompt: Prompt) -> Completion:
        raise KeyError("secret-in-a-stack-trace")


async def test_an_engine_that_is_down_asks_to_try_again(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config()), DownEngine()) as gateway:
        response = await gateway.route(dispatch=True)
        problem = problem_of(response)
        assert (problem["status"], problem["code"]) == (503, "engine_down")
        assert int(response.headers["Retry-After"]) > 0
        assert dispatched(script) == 0


async def test_a_fault_of_ours_shows_nothing_of_the_inside(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config()), BrokenEngine()) as gateway:
        response = await gateway.route(dispatch=True)
        problem = problem_of(response)
        assert (problem["status"], problem["code"]) == (500, "internal")
        assert "secret" not in response.text
        assert "KeyError" not in response.text
        assert dispatched(script) == 0


async def test_health_is_told_without_a_key_and_readiness_says_what_is_missing(
    tmp_path: Path,
) -> None:
    script = desk(tmp_path / "desk")
    script.tell_pages({"error": "no list"})
    config = settings(tmp_path, script.config(), auth={"agent_keys": ("k",)})
    async with served(config, listed=False) as gateway:
        assert (await gateway.client.get("/healthz")).json() == {"status": "ok"}
        response = await gateway.client.get("/readyz")
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert response.json()["missing"][0].startswith("server script: ")
        tell_desk(script, 1)
        await gateway.parts.watch.refresh("script")
        assert (await gateway.client.get("/readyz")).json() == {"status": "ready", "missing": []}


async def test_without_an_adapter_the_gateway_is_not_ready(tmp_path: Path) -> None:
    async with served(settings(tmp_path, adapter=False)) as gateway:
        response = await gateway.client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["missing"] == ["no adapter is in service"]


async def test_metrics_count_routes_calls_and_servers(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        await gateway.route(dispatch=True)
        text = (await gateway.client.get("/metrics")).text
        version = gateway.parts.active.all[0].adapter.version
    assert f'pointsman_routes_total{{model="{version}",outcome="call",reason_code=""}} 1.0' in text
    assert 'pointsman_dispatches_total{result="ok",server="script"} 1.0' in text
    assert 'pointsman_upstream_up{server="script"} 1.0' in text
    assert f'pointsman_drift_grade{{adapter="{version}"}} 0.0' in text
