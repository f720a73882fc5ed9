"""The router: what an engine is asked, and what becomes of its answer, in each format."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Prompt
from gateway.engines.scripted import ScriptedEngine
from gateway.grammar import answer_schema
from gateway.grounding.candidates import narrowed
from gateway.manifest import Adapter, read_adapter
from gateway.router import Router
from gateway.types import Call, Evidence, Message
from tests.adapters import support_toolset, write_adapter

DESK = support_toolset()
REQUEST = [Message("user", "where is ORD-1234?")]
TRACK = Call("track_order", {"order_id": "ORD-1234"})
JSON_ANSWER = json.dumps(TRACK.as_dict())
NATIVE_ANSWER = (
    '<tool_call>\n{"name": "track_order", "arguments": {"order_id": "ORD-1234"}}\n</tool_call>'
)
NATIVE = {"format": "native", "version": 1, "form": "schemas"}


def adapter(folder: Path, prompt: dict[str, Any] | None = None) -> Adapter:
    return read_adapter(write_adapter(folder / "adapter", **({"prompt": prompt} if prompt else {})))


async def asked(
    adapter: Adapter, answer: str, *, constrained: bool = True, base_model: bool = False
) -> tuple[Prompt, Any]:
    engine = ScriptedEngine(lambda prompt: answer, logprob=-1.0)
    await engine.load(adapter.version, adapter.folder)
    route = await Router(engine).route(
        REQUEST, adapter, constrained=constrained, base_model=base_model
    )
    (prompt,) = engine.prompts
    return prompt, route


async def test_a_json_adapter_is_asked_in_our_words_and_answers_an_object(tmp_path: Path):
    prompt, route = await asked(adapter(tmp_path), JSON_ANSWER)
    assert prompt.messages == (
        {
            "role": "system",
            "content": f"Route the request to the tools of {DESK.name}. Answer in JSON.",
        },
        {"role": "user", "content": "where is ORD-1234?"},
    )
    assert prompt.schema == answer_schema(narrowed(DESK, REQUEST))
    assert "ORD-1234" in json.dumps(prompt.schema)
    assert prompt.tools is None
    assert prompt.grammar is None
    assert route.calls == (TRACK,)
    assert route.evidence == Evidence(-1.0)
    assert route.confidence == pytest.approx(0.7310585786300049)


async def test_a_native_adapter_is_asked_with_tools_and_answers_in_its_own_way(tmp_path: Path):
    prompt, route = await asked(adapter(tmp_path, NATIVE), NATIVE_ANSWER)
    assert prompt.tools is not None
    assert [tool["function"]["name"] for tool in prompt.tools] == [t.name for t in DESK.tools]
    assert prompt.schema is None
    assert prompt.grammar is not None
    assert "track_order" not in prompt.messages[0]["content"]
    assert route.calls == (TRACK,)


@pytest.mark.parametrize(("prompt", "answer"), [(None, NATIVE_ANSWER), (NATIVE, "<tool_call>")])
async def test_an_answer_in_another_format_is_an_error(
    tmp_path: Path, prompt: dict[str, Any] | None, answer: str
):
    _, route = await asked(adapter(tmp_path, prompt), answer)
    assert route.error


@pytest.mark.parametrize("prompt", [None, NATIVE])
async def test_free_decoding_has_no_language(tmp_path: Path, prompt: dict[str, Any] | None):
    made, _ = await asked(adapter(tmp_path, prompt), "hm", constrained=False)
    assert (made.schema, made.grammar) == (None, None)


@pytest.mark.parametrize("prompt", [None, NATIVE])
async def test_the_base_model_is_shown_every_schema(tmp_path: Path, prompt: dict[str, Any] | None):
    made, _ = await asked(adapter(tmp_path, prompt), "hm", base_model=True)
    assert made.adapter is None
    shown = json.dumps([made.messages[0], made.tools], ensure_ascii=False)
    assert all(tool.name in shown for tool in DESK.tools)
    assert "pattern" in shown
