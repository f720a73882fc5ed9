"""Answers are what the OpenAPI description declares, to the last member.

`make fuzz` holds thousands of made-up requests against it; here stand those that are known, and
what the fuzz found.
"""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.engines.scripted import ScriptedEngine
from tests.adapters import write_adapter
from tests.gateway.faces.chats import USER
from tests.gateway.faces.described import closed, described, faults_of
from tests.gateway.serving import ASK, TRACK, Served, desk, served, settings, tell_desk

ANSWERED: list[tuple[str, str, Any, int]] = [
    ("POST", "/v1/route", {"request": ASK, "dispatch": True}, 200),
    ("POST", "/v1/route", {"request": "thanks"}, 200),
    ("POST", "/v1/route", {"request": "mumble"}, 200),
    ("POST", "/v1/route", {"request": "refund"}, 200),
    ("POST", "/v1/route", {"request": ASK, "model": "nobody"}, 404),
    ("POST", "/v1/route", {}, 422),
    ("POST", "/v1/tools/call", TRACK, 200),
    ("POST", "/v1/tools/call", {"tool": "nothing"}, 404),
    ("POST", "/v1/tools/call", {"tool": "track_order"}, 422),
    ("POST", "/v1/tools/call", {"tool": "cancel_order", "arguments": TRACK["arguments"]}, 403),
    ("GET", "/v1/tools", None, 200),
    ("GET", "/healthz", None, 200),
    ("GET", "/readyz", None, 200),
    ("GET", "/metrics", None, 200),
    ("GET", "/v1/models", None, 200),
    ("GET", "/v1/models/{name}=support", None, 200),
    ("GET", "/v1/models/{name}=nobody", None, 404),
    ("POST", "/v1/chat/completions", {"messages": [USER]}, 200),
    ("POST", "/v1/chat/completions", {"messages": [USER], "stream": True}, 200),
    ("POST", "/v1/chat/completions", {"messages": [USER], "n": 2}, 422),
    ("POST", "/v1/chat/completions", {"messages": [USER], "model": "nobody"}, 404),
    ("POST", "/v1/responses", {"input": ASK}, 200),
    ("POST", "/v1/responses", {"input": ASK, "stream": True}, 200),
    ("POST", "/v1/responses", {"input": ASK, "previous_response_id": "gone"}, 404),
    ("POST", "/v1/responses", {"input": ASK, "background": True}, 422),
    ("POST", "/v1/responses", {"input": ASK, "tools": [
        {"type": "mcp", "server_label": "script", "server_url": "http://elsewhere/"}]}, 403),
    ("GET", "/admin/servers", None, 200),
    ("POST", "/admin/servers", {"name": "x", "command": "true"}, 403),
    ("POST", "/admin/servers", {"name": "script", "url": "http://localhost:1/"}, 409),
    ("POST", "/admin/servers", {"name": "x", "url": "http://127.0.0.1:9/"}, 502),
    ("POST", "/admin/servers", {"name": "x", "url": "http://"}, 422),
    ("POST", "/admin/servers", {"name": "x", "url": "http://["}, 422),
    ("POST", "/admin/servers", {"name": "x", "url": "http://a:99999/"}, 422),
    ("POST", "/admin/servers", {
        "name": "x", "url": "http://127.0.0.1:9/", "headers": {"X": "caf\u00e9"}}, 422),
    ("POST", "/admin/servers", {
        "name": "x", "url": "http://127.0.0.1:9/", "headers": {"X": "a\r\nb: c"}}, 422),
    ("POST", "/admin/servers", {
        "name": "x", "url": "http://127.0.0.1:9/", "headers": {"X Y": "a"}}, 422),
    ("DELETE", "/admin/servers/{name}=script", None, 403),
    ("DELETE", "/admin/servers/{name}=nobody", None, 404),
    ("POST", "/admin/servers/{name}/refresh=script", None, 200),
    ("GET", "/admin/calls", None, 200),
    ("GET", "/admin/calls?limit=0", None, 422),
    ("GET", f"/admin/calls?offset={2**63 - 1}", None, 200),
    ("GET", f"/admin/calls?offset={2**63}", None, 422),
    ("POST", "/admin/calls/{call_id}/label=none", {"target": "right"}, 404),
    ("GET", "/admin/adapters", None, 200),
    ("POST", "/admin/adapters", {"folder": "nowhere"}, 409),
    ("POST", "/admin/adapters", {"folder": "\0"}, 409),
    ("POST", "/admin/adapters/{name}/activate=support", None, 200),
    ("POST", "/admin/adapters/{name}/promote=support", None, 409),
    ("POST", "/admin/adapters/{name}/rollback=support", None, 409),
    ("DELETE", "/admin/adapters/{name}=support", None, 403),
    ("DELETE", "/admin/adapters/{name}=nobody", None, 404),
    ("GET", "/admin/drift", None, 200),
    ("GET", "/admin/drift/policy", None, 200),
    ("PUT", "/admin/drift/policy", {"policy": "warn"}, 200),
    ("DELETE", "/admin/drift/policy", None, 200),
    ("POST", "/admin/drift/silences", {
        "adapter": "support", "reason": "known", "until": "2126-01-01T00:00:00Z"}, 201),
    ("GET", "/admin/drift/silences", None, 200),
    ("DELETE", "/admin/drift/silences/{key}=none", None, 404),
    ("GET", "/admin/tools/held", None, 200),
    ("POST", "/admin/tools/{name}/approve=nothing", {"fingerprint": "0"}, 404),
]  # fmt: skip


async def asked(gateway: Served, method: str, path: str, body: Any) -> httpx.Response:
    """The answer; what stands behind `=` is put in for the path's parameter."""
    template, _, value = path.partition("=") if "{" in path else (path, "", "")
    return await gateway.client.request(method, re.sub(r"{\w+}", value, template), json=body)


async def test_answers_are_what_the_description_declares_to_the_last_member(
    tmp_path: Path,
) -> None:
    script, held = desk(tmp_path / "desk"), desk(tmp_path / "held")
    answered = {
        ASK: TRACK,
        "thanks": {"tool": "no_tool", "reason": "nothing is asked"},
        "mumble": "no JSON",
        "refund": {"tool": "request_refund", "arguments": {"order_id": "ORD-1234"}},
    }
    more = {"name": "held", "prefix": "held_", "hold_changes": True}
    config = settings(
        tmp_path, script.config(), held.config(**more), approval={"tools": ["cancel_order"]}
    )
    description = closed(described())
    async with served(config, ScriptedEngine(answered)) as gateway:
        for each, name in ((script, "script"), (held, "held")):
            tell_desk(each, 2)
            await gateway.client.post(f"/admin/servers/{name}/refresh")
        assert gateway.parts.watch.catalog.held
        for method, path, body, status in ANSWERED:
            response = await asked(gateway, method, path, body)
            template = re.split(r"[=?]", path)[0]
            assert (path, response.status_code) == (path, status), response.text
            assert (path, faults_of(description, template, response)) == (path, [])


async def test_what_an_operator_changes_is_answered_as_declared(tmp_path: Path) -> None:
    held, more = desk(tmp_path / "held"), desk(tmp_path / "more")
    newer = write_adapter(tmp_path / "newer", created="2026-11-22T00:00:00Z")
    idle = write_adapter(tmp_path / "idle", name="idle")
    silence = {"adapter": "support", "reason": "known", "until": "2126-01-01T00:00:00Z"}
    config = settings(
        tmp_path, held.config(name="held", hold_changes=True), allow_stdio_registration=True
    )
    description = closed(described())
    async with served(config) as gateway:

        async def done(method: str, path: str, value: str = "", body: Any = None) -> Any:
            response = await asked(gateway, method, f"{path}={value}" if value else path, body)
            assert (path, response.status_code) in ((path, 200), (path, 201)), response.text
            assert (path, faults_of(description, path, response)) == (path, [])
            return response.json()

        server = more.config(name="more", prefix="more_").model_dump(mode="json")
        await done("POST", "/admin/servers", body=server)
        await done("DELETE", "/admin/servers/{name}", "more")
        key = (await done("POST", "/admin/drift/silences", body=silence))["id"]
        await done("DELETE", "/admin/drift/silences/{key}", key)
        call = (await done("POST", "/v1/route", body={"request": ASK}))["id"]
        await done("POST", "/admin/calls/{call_id}/label", call, {"target": "right"})
        await done("GET", "/admin/calls")
        version = (await done("POST", "/admin/adapters", body={"folder": str(newer)}))["version"]
        activate, trial = "/admin/adapters/{name}/activate", {"canary": 50}
        await done("POST", activate, version, trial)
        await done("GET", "/admin/adapters")
        await done("POST", "/admin/adapters/{name}/promote", version)
        await done("POST", "/admin/adapters/{name}/rollback", "support")
        await done("POST", "/admin/adapters", body={"folder": str(idle)})
        await done("DELETE", "/admin/adapters/{name}", "idle")
        tell_desk(held, 2)
        await done("POST", "/admin/servers/{name}/refresh", "held")
        first = (await done("GET", "/admin/tools/held"))["held"][0]
        looked_at = {key: first[key] for key in ("fingerprint", "definition")}
        await done("POST", "/admin/tools/{name}/approve", first["tool"], looked_at)
        await done("GET", "/admin/drift")


@pytest.mark.parametrize(
    ("status", "headers", "body", "fault"),
    [
        (418, {}, b"{}", "status 418 is not declared"),
        (200, {"content-type": "text/html"}, b"", "content type text/html is not declared"),
        (200, {"content-type": "application/json"}, b'{"status": 1}', "/status"),
    ],
)
def test_an_answer_that_is_not_as_declared_is_told(
    status: int, headers: dict[str, str], body: bytes, fault: str
) -> None:
    request = httpx.Request("GET", "http://localhost/healthz")
    response = httpx.Response(status, headers=headers, content=body, request=request)
    assert fault.strip("/") in str(faults_of(described(), "/healthz", response))
