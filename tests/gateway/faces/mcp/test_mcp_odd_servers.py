"""Servers whose answers are none: a clear error each, one dispatch, and the next call is served."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from tests.gateway.faces.mcp.raw import Agent, Odd, answer_of, before
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S

DEEP = '{"a":' * 10_000 + "1" + "}" * 10_000
RESULTS = {
    "missing": "{}",
    "null_content": '{"content": null}',
    "text": '{"content": "x"}',
    "items": '{"content": [1]}',
    "kind": '{"content": [{"type": "smell"}]}',
    "half": '{"content": [{"type": "text"}]}',
    "image": '{"content": [{"type": "image", "data": 5, "mimeType": 7}]}',
    "flag": '{"content": [], "isError": "perhaps"}',
    "meta": '{"content": [], "_meta": 5}',
    "asks_nothing": '{"resultType": "input_required"}',
    "asks_oddly": '{"resultType": "input_required", "inputRequests": 5, "requestState": {}}',
    "list": "[]",
    "string": '"x"',
    "null": "null",
    "number": "5",
    "deep": '{"content": [], "structuredContent": ' + DEEP + "}",
    "half_json": '{"content": [',
    "good": '{"content": [{"type": "text", "text": "well"}]}',
}


@pytest.mark.parametrize(
    ("speaks", "sse"), [("modern", False), ("modern", True), ("legacy", False)]
)
async def test_an_answer_that_is_no_result_is_a_clear_error_and_asked_for_once(
    tmp_path: Path, speaks: str, sse: bool
) -> None:
    odd = Odd(RESULTS, speaks, sse=sse)
    async with before(odd, tmp_path) as face:
        async with httpx.AsyncClient(base_url=face.url(""), timeout=30) as client:
            for agent in (await Agent.of(client, "modern"), await Agent.of(client, "legacy")):
                odd.called.clear()
                for name in RESULTS:
                    response = await agent.call(name, {})
                    answer = answer_of(response)
                    assert response.status_code == 200, name
                    if name == "good":
                        assert answer["result"]["content"][0]["text"] == "well"
                        continue
                    message = answer["error"]["message"]
                    assert "server odd" in message, name
                    assert "\n" not in message
                    assert answer["error"]["data"] == {"code": "upstream_down"}
                assert odd.called == list(RESULTS)
        records = await face.parts.records.calls()
        assert {r["outcome"] for r in records} == {"call", "upstream_down"}
        assert len(records) == 2 * len(RESULTS)


async def test_a_structured_value_that_only_the_newer_revision_has_reaches_the_older_as_text(
    tmp_path: Path,
) -> None:
    odd = Odd({"bare": '{"content": [], "structuredContent": [1, 2]}'}, "modern")
    async with (
        before(odd, tmp_path) as face,
        httpx.AsyncClient(base_url=face.url("")) as client,
    ):
        new, old = await Agent.of(client, "modern"), await Agent.of(client, "legacy")
        assert answer_of(await new.call("bare", {}))["result"]["structuredContent"] == [1, 2]
        result = answer_of(await old.call("bare", {}))["result"]
        assert result["content"] == [{"type": "text", "text": "[1, 2]"}]
        assert "structuredContent" not in result


PATTERNS = {
    "letters": (r"^\p{L}+$", "Größe", True),
    "named_group": (r"^(?<a>x)+$", "x", True),
    "empty_class": ("^[^]$", "x", True),  # cannot be compiled
    "looks_ahead": (r"^(?!x)(a|aa)+\1$", "a" * 60 + "!", True),  # takes too many steps to check
    "nested": ("^(a+)+$", "a" * 28 + "!", False),
}
"""Pattern of an output schema, what the tool gives back, and whether it reaches the agent."""


@pytest.mark.parametrize("speaks", ["modern", "legacy"])
async def test_a_result_is_refused_in_good_time_and_only_if_it_breaks_its_schema(
    tmp_path: Path, speaks: str
) -> None:
    outputs = {name: {"properties": {"v": {"pattern": p}}} for name, (p, *_) in PATTERNS.items()}
    results = {
        name: json.dumps({"content": [], "structuredContent": {"v": value}})
        for name, (_, value, _) in PATTERNS.items()
    }
    odd = Odd(results, speaks, outputs=outputs)
    async with (
        before(odd, tmp_path) as face,
        httpx.AsyncClient(base_url=face.url(""), timeout=None) as client,
        asyncio.timeout(PATIENCE_S),
    ):
        agent = await Agent.of(client, "modern")
        for name, (_, value, passes) in PATTERNS.items():
            answer = answer_of(await agent.call(name, {}))
            if passes:
                assert answer["result"]["structuredContent"] == {"v": value}, name
            else:
                said = f"server odd ran {name}, but its result breaks its output schema: /v: "
                assert answer["error"]["message"].startswith(said)
                assert answer["error"]["data"] == {"code": "upstream_down"}
    assert odd.called == list(PATTERNS)
