"""The operator's API: servers, adapters, drift, the call record."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ServerConfig
from gateway.manifest import read_adapter
from tests.adapters import support_toolset, write_adapter
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
from tests.gateway.toolsets.upstream_doubles import LiveServer, Script, http

SECRETS = {"TOKEN": "hush-4711"}


def stdio(script: Script, name: str = "late", **more: Any) -> dict[str, Any]:
    args = [str(script.folder / "server.py"), str(script.folder)]
    return {"name": name, "command": sys.executable, "args": args, **more}


async def test_servers_are_listed_with_their_state_and_their_secrets_redacted(
    tmp_path: Path,
) -> None:
    script = desk(tmp_path / "desk")
    away = ServerConfig(
        name="away",
        url="http://user:hush-4711@localhost:1/mcp",
        headers={"Authorization": "Bearer hush-4711"},  # type: ignore[dict-item]
    )
    config = settings(tmp_path, script.config(env=SECRETS), away)
    async with served(config, listed=False) as gateway:
        await gateway.parts.watch.refresh("script")
        response = await gateway.client.get("/admin/servers")
    assert "hush-4711" not in response.text
    here, gone = response.json()["servers"]
    assert (here["state"], here["error"], here["configured"]) == ("ready", None, True)
    assert here["env"] == {"TOKEN": "**********"}
    assert here["tools"] == list(support_toolset().by_name)
    assert gone["headers"] == {"Authorization": "**********"}
    assert gone["url"] == "http://**********@localhost:1/mcp"
    assert gone["tools"] == []


async def test_registering_a_command_is_off_unless_allowed(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, adapter=False)) as gateway:
        problem = problem_of(await gateway.post("/admin/servers", stdio(script)))
        assert (problem["status"], problem["code"]) == (403, "forbidden")
        assert "allow_stdio_registration" in problem["detail"]
        assert script.seen() == []
        assert gateway.parts.watch.upstreams == ()


async def test_a_registered_server_serves_at_once_and_hides_its_secrets(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, adapter=False, allow_stdio_registration=True)
    async with served(config) as gateway:
        response = await gateway.post("/admin/servers", stdio(script, env=SECRETS))
        assert response.status_code == 201
        assert "hush-4711" not in response.text
        assert response.json()["configured"] is False
        assert (await gateway.call(**TRACK)).status_code == 200
        assert "hush-4711" not in (await gateway.client.get("/admin/servers")).text
        removed = await gateway.client.delete("/admin/servers/late")
        assert removed.json() == {"removed": "late"}
        assert problem_of(await gateway.call(**TRACK))["status"] == 404
        assert await gateway.parts.records.servers() == []


async def test_a_server_over_http_is_registered_by_its_url(tmp_path: Path) -> None:
    live = LiveServer("echo")
    app = live.streamable_http_app(streamable_http_path="/mcp", host="127.0.0.1")
    async with http(app) as port, served(settings(tmp_path, adapter=False)) as gateway:
        body = {"name": "late", "url": f"http://127.0.0.1:{port}/mcp", "prefix": "my_"}
        response = await gateway.post("/admin/servers", body)
        assert response.json()["tools"] == ["my_echo"]
        assert (await gateway.call("my_echo", {"a": 1})).status_code == 200
    assert live.called == [("echo", {"a": 1})]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "x"}, ""),
        ({"name": "x", "url": "http://localhost:1/mcp", "command": "cat"}, ""),
        ({"name": "a b", "url": "http://localhost:1/mcp"}, "/name"),
        ({"name": "x", "url": "file:///etc/passwd"}, "/url"),
        ({"name": "x", "url": "http://localhost:1/mcp", "prefix": "a.b"}, "/prefix"),
        ({"name": "x", "url": "http://localhost:1/mcp", "timeout_s": 0}, "/timeout_s"),
        ({"name": "x", "url": "http://localhost:1/mcp", "extra": 1}, "/extra"),
        (
            {"name": "x", "url": "http://localhost:1/mcp", "headers": {"k": ["hush-4711"]}},
            "/headers/k",
        ),
    ],
)
async def test_a_malformed_registration_is_refused(
    tmp_path: Path, body: dict[str, Any], pointer: str
) -> None:
    async with served(settings(tmp_path, adapter=False)) as gateway:
        response = await gateway.post("/admin/servers", body)
        problem = problem_of(response)
        assert (problem["status"], problem["code"]) == (422, "malformed_request")
        assert problem["errors"][0]["pointer"] == pointer
        assert "hush-4711" not in response.text
        assert await gateway.parts.records.servers() == []


async def test_a_name_collision_is_refused_and_names_the_prefix_to_set(tmp_path: Path) -> None:
    script, other = desk(tmp_path / "desk"), desk(tmp_path / "other")
    config = settings(tmp_path, script.config(), allow_stdio_registration=True)
    async with served(config) as gateway:
        problem = problem_of(await gateway.post("/admin/servers", stdio(other)))
        assert (problem["status"], problem["code"]) == (409, "name_collision")
        assert 'set a prefix for late, for example "late_"' in problem["detail"]
        assert [u.name for u in gateway.parts.watch.upstreams] == ["script"]
        assert await gateway.parts.records.servers() == []
        await gateway.call(**TRACK)
        assert (dispatched(script), dispatched(other)) == (1, 0)
        response = await gateway.post("/admin/servers", stdio(other, prefix="late_"))
        assert response.status_code == 201


async def test_a_name_taken_or_a_server_that_is_down_is_refused(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), adapter=False)
    async with served(config) as gateway:
        body = {"name": "script", "url": "http://127.0.0.1:1/mcp"}
        assert problem_of(await gateway.post("/admin/servers", body))["code"] == "conflict"
        body = {"name": "late", "url": "http://127.0.0.1:1/mcp"}
        problem = problem_of(await gateway.post("/admin/servers", body))
        assert (problem["status"], problem["code"]) == (502, "upstream_down")
        assert [u.name for u in gateway.parts.watch.upstreams] == ["script"]


async def test_what_the_file_declares_is_read_only_and_the_unknown_is_not_found(
    tmp_path: Path,
) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        client = gateway.client
        version = gateway.parts.active.all[0].adapter.version
        for path in ("/admin/servers/script", f"/admin/adapters/{version}"):
            assert problem_of(await client.delete(path))["code"] == "forbidden"
        for response, code in (
            (await client.delete("/admin/servers/nope"), "unknown_server"),
            (await client.post("/admin/servers/nope/refresh"), "unknown_server"),
            (await client.delete("/admin/adapters/nope"), "unknown_adapter"),
            (await client.post("/admin/adapters/nope/activate"), "unknown_adapter"),
            (await client.post("/admin/adapters/nope/rollback"), "unknown_adapter"),
        ):
            assert (problem_of(response)["status"], problem_of(response)["code"]) == (404, code)


async def test_an_adapter_goes_in_and_out_of_service(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    old, new = write_adapter(tmp_path / "old"), write_adapter(tmp_path / "new", rank=32)
    v1, v2 = read_adapter(old).version, read_adapter(new).version
    async with served(settings(tmp_path, script.config(), adapter=False)) as gateway:

        async def post(path: str, body: Any = None) -> dict[str, Any]:
            response = await gateway.client.post(f"/admin/adapters{path}", json=body)
            return {"http": response.status_code, **response.json()}

        added = await post("", {"folder": str(old)})
        assert (added["http"], added["version"], added["in_service"]) == (201, v1, False)
        assert problem_of(await gateway.route())["code"] == "unknown_model"
        active = await post("/support/activate")
        assert (active["in_service"], active["toolset"], active["drift"]) == (
            True, "support", "none",
        )  # fmt: skip
        assert (await gateway.route()).json()["model"] == v1
        await post("", {"folder": str(new)})
        active = await post(f"/{v2}/activate", {"toolset": "support"})
        assert (active["version"], active["previous"]) == (v2, v1)
        assert (await gateway.route()).json()["model"] == v2
        for version in (v1, v2):
            response = await gateway.client.delete(f"/admin/adapters/{version}")
            assert problem_of(response)["status"] == 409
        back = await post("/support/rollback")
        assert (back["version"], back["previous"]) == (v1, v2)
        assert (await gateway.route()).json()["model"] == v1
        listed = (await gateway.client.get("/admin/adapters")).json()["adapters"]
        assert {a["version"]: a["in_service"] for a in listed} == {v1: True, v2: False}


async def test_a_version_that_nobody_needs_is_deleted(tmp_path: Path) -> None:
    async with served(settings(tmp_path, adapter=False)) as gateway:
        body = {"folder": str(write_adapter(tmp_path / "made"))}
        version = (await gateway.post("/admin/adapters", body)).json()["version"]
        response = await gateway.client.delete(f"/admin/adapters/{version}")
        assert response.json() == {"removed": version}
        assert (await gateway.client.get("/admin/adapters")).json() == {"adapters": []}


@pytest.mark.parametrize("folder", ["", ".", "/nowhere", "/etc/passwd", "a\0b", "🦊"])
async def test_what_is_no_adapter_folder_is_refused(tmp_path: Path, folder: str) -> None:
    async with served(settings(tmp_path, adapter=False)) as gateway:
        problem = problem_of(await gateway.post("/admin/adapters", {"folder": folder}))
        assert (problem["status"], problem["code"]) == (409, "adapter_refused")


async def test_drift_is_told_per_adapter(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        (none,) = (await gateway.client.get("/admin/drift")).json()["adapters"]
        tell_desk(script, 2)
        refreshed = await gateway.client.post("/admin/servers/script/refresh")
        (some,) = (await gateway.client.get("/admin/drift")).json()["adapters"]
    assert (none["grade"], none["tools"], none["listed"]) == ("none", [], True)
    assert none["live_fingerprint"] == none["trained_fingerprint"]
    assert "stock_level" in refreshed.json()["tools"]
    assert some["grade"] == "removed"
    assert {tool["tool"]: tool["grade"] for tool in some["tools"]} == {
        "request_refund": "breaking", "schedule_pickup": "breaking", "check_stock": "renamed",
        "exchange_item": "removed", "escalate": "description", "gift_wrap": "added",
    }  # fmt: skip


async def test_the_call_record_is_listed_and_filtered(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(settings(tmp_path, script.config())) as gateway:
        await gateway.route()
        await gateway.route("hello")
        listed = (await gateway.client.get("/admin/calls")).json()["calls"]
        assert [call["outcome"] for call in listed] == ["no_tool", "call"]
        some = (await gateway.client.get("/admin/calls?outcome=call&limit=5")).json()["calls"]
        assert [call["messages"] for call in some] == [[["user", ASK]]]
        for query in ("limit=0", "limit=1001", "limit=x"):
            problem = problem_of(await gateway.client.get(f"/admin/calls?{query}"))
            assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/limit")


async def test_arguments_can_be_left_out_of_the_record(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = settings(tmp_path, script.config(), records={"arguments": False})
    async with served(config) as gateway:
        await gateway.route(dispatch=True)
        await gateway.call(**TRACK)
        await gateway.route("ORD-9999", threshold=1)
        calls = (await gateway.client.get("/admin/calls")).json()["calls"]
    chance = ("at", "id", "timings_ms")  # may hold the digits, too
    text = json.dumps([{k: v for k, v in call.items() if k not in chance} for call in calls])
    assert "1234" not in text
    assert "9999" not in text
    assert text.count("track_order") >= 2
