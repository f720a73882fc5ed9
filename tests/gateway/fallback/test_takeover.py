"""The fallback: its calls pass the router's checks, go back once, and are withheld then."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.choice import Choice
from gateway.config import FallbackConfig, load_config
from gateway.fallback.llm import Llm
from gateway.fallback.takeover import Asked, Fallback, Taken
from gateway.types import Message, Usage
from tests.adapters import support_toolset
from tests.gateway.fallback.llm_double import KEY, LlmDouble, calls, cut_off, says

TOOLS = support_toolset().by_name
ASK = "where is ORD-1234?"
TRACK = ("track_order", {"order_id": "ORD-1234"})
CANCEL = ("cancel_order", {"order_id": "ORD-1234"})
USER = {"role": "user", "content": ASK}


def asked(*more: dict[str, Any], **settings: Any) -> Asked:
    spoken = (USER, *more)
    said = [Message(m["role"], m["content"]) for m in spoken if m["role"] in ("user", "tool")]
    return Asked(spoken, tuple(said), settings.pop("tools", TOOLS), **settings)


async def taken(double: LlmDouble, turn: Asked | None = None) -> tuple[list[str], Taken]:
    """The pieces of text, and how the turn was answered."""
    config = FallbackConfig(url="http://llm.test/v1", model="big", backoff_s=0)
    fallback = Fallback(Llm(config, httpx.ASGITransport(double.app)), repeats=2)
    *texts, answer = [piece async for piece in fallback.take_over(turn or asked())]
    await fallback.close()
    assert isinstance(answer, Taken)
    return [str(text) for text in texts], answer


def test_the_key_comes_from_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "pointsman.toml"
    file.write_text(
        '[fallback]\nurl = "http://llm.test/v1"\nmodel = "big"\napi_key = "${LLM_KEY}"\n'
        "[approval]\ndestructive = true\n"
    )
    config = load_config(file, {"LLM_KEY": KEY})
    assert config.fallback is not None
    assert config.fallback.api_key is not None
    assert config.fallback.api_key.get_secret_value() == KEY
    assert KEY not in repr(config) + config.model_dump_json()
    assert config.approval.destructive


async def test_a_valid_call_is_taken_with_its_id() -> None:
    double = LlmDouble(calls(TRACK))
    _, answer = await taken(double)
    assert [call.as_dict() for call in answer.decision.calls] == [
        {"tool": TRACK[0], "arguments": TRACK[1]}
    ]
    assert (answer.ids, answer.finish, answer.refusal) == (("llm_0",), "tool_calls", None)
    (body,) = double.asked
    assert body["messages"] == [USER]
    assert [tool["function"]["name"] for tool in body["tools"]] == list(TOOLS)
    assert body["tool_choice"] == "auto"


async def test_an_answer_in_words_is_an_answer() -> None:
    _, answer = await taken(LlmDouble(says("We open at nine.")))
    assert (answer.text, answer.refusal, answer.finish) == ("We open at nine.", None, "stop")
    assert answer.decision.calls == ()


FAULTY = [
    (("track_order", {"order_id": 5}), "/order_id"),
    (("track_order", {}), "order_id"),
    (("track_order", "{"), "not JSON"),
    (("track_order", "[]"), "JSON object"),
    (("track_order", {"order_id": "ORD-9999"}), "not in the conversation"),
    (("drop_tables", {}), "not among the tools"),
]


@pytest.mark.parametrize(("call", "words"), FAULTY)
async def test_a_call_that_fails_a_check_goes_back_once_with_the_errors(
    call: tuple[str, Any], words: str
) -> None:
    double = LlmDouble(calls(call), calls(TRACK))
    _, answer = await taken(double)
    assert [c.tool for c in answer.decision.calls] == ["track_order"]
    assert answer.usage == Usage(200, 20)
    _, made, told = double.asked[1]["messages"]
    assert made["tool_calls"][0]["function"]["name"] == call[0]
    json.loads(made["tool_calls"][0]["function"]["arguments"])  # no server takes another history
    assert (told["role"], told["tool_call_id"]) == ("tool", "llm_0")
    errors = json.loads(told["content"])
    assert errors["called"] is False
    assert words in json.dumps(errors)


@pytest.mark.parametrize(("call", "words"), FAULTY)
async def test_a_call_that_fails_twice_is_withheld(call: tuple[str, Any], words: str) -> None:
    double = LlmDouble(calls(call), calls(call))
    _, answer = await taken(double)
    assert len(double.asked) == 2
    assert (answer.decision.calls, answer.ids, answer.finish) == ((), (), "stop")
    assert answer.refusal is not None
    assert "withheld" in answer.refusal
    assert words in answer.refusal


async def test_one_faulty_call_withholds_all() -> None:
    both = calls(TRACK, ("track_order", {}))
    _, answer = await taken(LlmDouble(both, both))
    assert answer.decision.calls == ()


async def test_an_answer_with_the_same_call_twice_goes_back() -> None:
    double = LlmDouble(calls(TRACK, TRACK), calls(TRACK))
    _, answer = await taken(double)
    assert len(answer.decision.calls) == 1
    assert "stands twice" in double.asked[1]["messages"][-1]["content"]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.parametrize("arguments", [TRACK[1], ""], ids=["whole", "none"])
async def test_calls_of_an_answer_that_was_cut_off_go_back_and_are_withheld_then(
    arguments: Any, finish: str
) -> None:
    cut = cut_off(calls(("track_order", arguments)), finish)
    double = LlmDouble(cut, calls(TRACK))
    _, answer = await taken(double)
    assert [call.arguments for call in answer.decision.calls] == [TRACK[1]]
    assert f"cut off ({finish})" in double.asked[1]["messages"][-1]["content"]
    _, answer = await taken(LlmDouble(cut, cut))
    assert (answer.decision.calls, answer.finish) == ((), finish)
    assert answer.refusal is not None
    assert f"cut off ({finish})" in answer.refusal


async def test_words_of_an_answer_that_was_cut_off_are_an_answer() -> None:
    double = LlmDouble(cut_off(says("We open at")))
    _, answer = await taken(double)
    assert (answer.text, answer.refusal, answer.finish) == ("We open at", None, "length")
    assert len(double.asked) == 1


@pytest.mark.parametrize(
    ("stream", "text"), [(False, "It is on its way."), (True, "I look.It is on its way.")]
)
async def test_words_beside_a_call_that_goes_back_are_told_only_if_they_were_streamed(
    stream: bool, text: str
) -> None:
    wrong = calls(("track_order", {}), text="I look.")
    double = LlmDouble(wrong, says("It is on its way."))
    texts, answer = await taken(double, asked(stream=stream))
    assert answer.text == text
    assert "".join(texts) == (text if stream else "")


async def test_words_after_a_fault_are_an_answer() -> None:
    _, answer = await taken(LlmDouble(calls(("track_order", {})), says("Which order?")))
    assert (answer.text, answer.refusal) == ("Which order?", None)


async def test_text_streams_through_and_calls_only_when_they_are_whole() -> None:
    double = LlmDouble(calls(TRACK, text="One moment"))
    texts, answer = await taken(double, asked(stream=True))
    assert texts == list("One moment")
    assert len(answer.decision.calls) == 1
    assert double.asked[0]["stream_options"] == {"include_usage": True}
    assert answer.usage == Usage(100, 10)


def made(times: int, order: str = "ORD-1234") -> list[dict[str, Any]]:
    """The same call, made and answered so often."""
    function = {"name": "track_order", "arguments": json.dumps({"order_id": order})}
    call = {"id": "c", "type": "function", "function": function}
    turns = (
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "processing"},
    )
    return [turn for _ in range(times) for turn in turns]


async def test_a_call_that_was_made_over_and_over_is_a_loop() -> None:
    double = LlmDouble(calls(TRACK), calls(TRACK))
    _, answer = await taken(double, asked(*made(2)))
    assert answer.refusal is not None
    assert "2 times already" in answer.refusal


@pytest.mark.parametrize("history", [made(1), made(2, "ORD-4321"), [*made(2), USER]])
async def test_what_is_no_loop_is_called(history: list[dict[str, Any]]) -> None:
    _, answer = await taken(LlmDouble(calls(TRACK)), asked(*history))
    assert len(answer.decision.calls) == 1


@pytest.mark.parametrize(
    ("choice", "sent", "answer", "words"),
    [
        (Choice("none"), {"tool_choice": "none"}, calls(TRACK), "tool_choice is none"),
        (
            Choice("required", "escalate"),
            {"tool_choice": {"type": "function", "function": {"name": "escalate"}}},
            calls(TRACK),
            "names escalate",
        ),
        (Choice("required"), {"tool_choice": "required"}, says("no"), "none was made"),
        (
            Choice(several=False),
            {"tool_choice": "auto", "parallel_tool_calls": False},
            calls(TRACK, CANCEL),
            "parallel_tool_calls is false",
        ),
    ],
)
async def test_the_agents_choice_is_passed_on_and_enforced(
    choice: Choice, sent: dict[str, Any], answer: dict[str, Any], words: str
) -> None:
    double = LlmDouble(answer, answer)
    _, found = await taken(double, asked(choice=choice))
    assert double.asked[0].items() >= sent.items()
    assert found.decision.calls == ()
    assert found.refusal is not None
    assert words in found.refusal


async def test_settings_are_passed_on_and_no_tools_are_no_member() -> None:
    double = LlmDouble(says("hi"))
    await taken(double, asked(tools={}, settings={"temperature": 0.5, "seed": 7}))
    (body,) = double.asked
    assert (body["temperature"], body["seed"]) == (0.5, 7)
    assert body.keys().isdisjoint({"tools", "tool_choice", "stream"})
