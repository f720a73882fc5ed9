"""What schemathesis is told of the gateway it fuzzes; runs in the environment of schemathesis.

The description says what any gateway takes. Here it is narrowed to what gets past the first check
of this one: calls of its live tools, conversations it has answers for, servers on this machine.
Links say which operation goes on with what another answered.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import schemathesis

GATEWAY = os.environ["FUZZ_GATEWAY"]
UPSTREAM = os.environ["FUZZ_UPSTREAM"]
CONFIG = Path(__file__).with_name("pointsman.toml")
CLOSED = "http://127.0.0.1:9/mcp"
URLS = [
    UPSTREAM, UPSTREAM.replace("http:", "https:"), f"{GATEWAY}/healthz", f"{GATEWAY}/mcp/support",
    CLOSED, "http://", "http://[", "http://127.0.0.1:0/", "http://127.0.0.1:99999/", "https://?#",
]  # fmt: skip
LINKS = [
    ("post", "/admin/servers", "201", "delete", "/admin/servers/{name}", {"name": "name"}),
    ("post", "/admin/servers", "201", "post", "/admin/servers/{name}/refresh", {"name": "name"}),
    ("post", "/admin/adapters", "201", "delete", "/admin/adapters/{name}", {"name": "version"}),
    ("post", "/admin/adapters", "201", "post", "/admin/adapters/{name}/activate",
     {"name": "version"}),
    ("post", "/admin/adapters/{name}/activate", "200", "post", "/admin/adapters/{name}/promote",
     {"name": "name"}),
    ("post", "/admin/adapters/{name}/activate", "200", "post", "/admin/adapters/{name}/rollback",
     {"name": "name"}),
    ("post", "/admin/drift/silences", "201", "delete", "/admin/drift/silences/{key}",
     {"key": "id"}),
    ("post", "/v1/route", "200", "post", "/admin/calls/{call_id}/label", {"call_id": "id"}),
]  # fmt: skip
_HELD, _FIRST = "$response.body#/held/0/", "$response.body#/adapters/0/version"
LINKS_WITH_BODY = [
    ("get", "/admin/tools/held", "200", "/admin/tools/{name}/approve",
     {"name": f"{_HELD}tool"}, {"fingerprint": f"{_HELD}fingerprint"}),
    ("get", "/admin/adapters", "200", "/admin/adapters/{name}/activate",
     {"name": _FIRST}, {"canary": 10}),
]  # fmt: skip


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Narrow the description."""
    paths, schemas = raw_schema["paths"], raw_schema["components"]["schemas"]
    with urlopen(f"{GATEWAY}/v1/tools") as listed:
        tools = json.load(listed)["tools"]
    body = paths["/v1/tools/call"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"anyOf": [*map(_call_of, tools), body["schema"]]}
    chat = schemas["ChatBody"]["properties"]
    chat["messages"] = {"anyOf": [_conversation(), chat["messages"]]}
    _narrow_servers(paths["/admin/servers"]["post"], schemas["ServerConfig"])
    for method, path, status, then, there, taken in LINKS:
        target = paths[there][then]["operationId"]
        taken = {name: f"$response.body#/{member}" for name, member in taken.items()}
        _link(paths[path][method], status, {"operationId": target, "parameters": taken})
    for method, path, status, there, parameters, body in LINKS_WITH_BODY:
        target = paths[there]["post"]["operationId"]
        link = {"operationId": target, "parameters": parameters, "requestBody": body}
        _link(paths[path][method], status, link)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Nothing but this machine is ever contacted, whatever a case makes up."""
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("url"), str) and _is_foreign(body["url"]):
        body["url"] = CLOSED


def _call_of(tool: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": tool["name"]}, "arguments": tool["inputSchema"]},
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    }


def _conversation() -> dict[str, Any]:
    """Messages that answer no call, many of them with something that the engine knows."""
    known = list(tomllib.loads(CONFIG.read_text())["engine"]["answers"])
    message = {
        "type": "object",
        "properties": {
            "role": {"enum": ["user", "system", "assistant"]},
            "content": {"anyOf": [{"enum": known}, {"type": "string"}]},
        },
        "required": ["role", "content"],
        "additionalProperties": False,
    }
    return {"type": "array", "minItems": 1, "items": message}


def _narrow_servers(operation: dict[str, Any], schema: dict[str, Any]) -> None:
    schema["properties"] |= {"url": {"enum": [None, *URLS]}, "command": {"enum": [None, "true"]}}
    schema["oneOf"] = [
        {"required": [name], "properties": {name: {"type": "string"}}}
        for name in ("url", "command")
    ]
    content = operation["requestBody"]["content"]["application/json"]
    content["examples"] = {
        name: {"value": {"name": name, "url": UPSTREAM, "prefix": f"{name}_"}}
        for name in ("second", "third")
    }


def _link(operation: dict[str, Any], status: str, link: dict[str, Any]) -> None:
    operation["responses"][status].setdefault("links", {})[link["operationId"]] = link


def _is_foreign(url: str) -> bool:
    try:
        return (urlsplit(url).hostname or "127.0.0.1") != "127.0.0.1"
    except ValueError:
        return False
