"""Grammars on real tokens: what was trained can be written, token for token, and nothing else."""

import functools
import random
from typing import Any

import llguidance
import llguidance.hf
import llguidance.numpy
import numpy
import pytest

from gateway.engines.base import Prompt
from gateway.engines.grammars import Grammars
from gateway.errors import EngineDown
from gateway.formats.known import FORMATS
from gateway.grammar import MAX_CALLS, REASON_CHARS
from gateway.types import Message
from gateway.validate import ToolValidator
from tests.adapters import support_toolset
from tests.gateway.formats.templates import smollm2, with_template
from training.examples import examples
from training.rows import Row

DESK = support_toolset()
TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
TARGETS = [
    TRACK,
    {"calls": [TRACK, TRACK]},
    {"calls": [TRACK] * MAX_CALLS},
    {"tool": "no_tool", "reason": "need order_id & ✓"},
]
TEXT = '<tool_call>\n{"name": "track_order", "arguments": {"order_id": "ORD-1234"}}\n</tool_call>'


def asked(grammar: str | None = None, schema: Any = None) -> Prompt:
    return Prompt((), None, schema, 100, 100, grammar=grammar)


def grammars(tokenizer: Any) -> Grammars:
    return Grammars(llguidance.hf.from_tokenizer(tokenizer), tokenizer.get_added_vocab())


@functools.cache
def qwen3_grammars(special: bool | None) -> Grammars:
    return grammars(with_template("qwen3", special=special))


def native(special: bool | None = False) -> Any:
    language = FORMATS["native"].language(DESK)
    return qwen3_grammars(special).matcher(asked(language.grammar, language.schema))


@pytest.fixture
def qwen3() -> Any:
    return with_template("qwen3")


@pytest.fixture(scope="module")
def plain() -> Grammars:
    return grammars(smollm2())


def decoded_towards(matcher: Any, wanted: list[int]) -> list[int]:
    """What the embedded engine writes if the model always likes the next wanted token best."""
    written: list[int] = []
    while not matcher.is_stopped() and len(written) < len(wanted):
        forced = matcher.compute_ff_tokens()
        if forced:
            assert matcher.consume_tokens(forced)
            written += forced
            continue
        if not matcher.consume_token(wanted[len(written)]):
            break
        written.append(wanted[len(written)])
    return written


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: str(target)[:40])
@pytest.mark.parametrize("special", [False, None], ids=["markers are tokens", "markers are text"])
def test_the_token_ids_trained_natively_are_those_the_grammar_lets_be_served(
    target: dict[str, Any], special: bool | None
):
    tokenizer = with_template("qwen3", special=special)
    row = Row((Message("user", "where is ORD-1234? ✓"),), target, "call", "desk")
    (made,) = examples([row], DESK, "schemas", tokenizer, 16_384, "native")
    answer = made.input_ids[made.completion_mask.index(1) :]
    assert answer[-1] == tokenizer.eos_token_id
    matcher = native(special)
    assert decoded_towards(matcher, answer[:-1]) == answer[:-1]
    assert matcher.is_accepting()
    text = tokenizer.decode(answer[:-1], skip_special_tokens=True)
    assert FORMATS["native"].parse(text).calls == row.calls


def test_a_marker_that_is_a_token_is_written_as_that_token(qwen3: Any):
    marker = qwen3.convert_tokens_to_ids("<tool_call>")
    assert native().try_consume_tokens([marker]) == 1
    spelled = smollm2().encode("<tool_call>", add_special_tokens=False)
    assert native().try_consume_tokens(spelled) == 0


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (TEXT, True),
        ("\n".join([TEXT] * MAX_CALLS), True),
        ("no tool: chat", True),
        ("no tool: ", True),
        ("no tool: " + "x" * REASON_CHARS, True),
        ("no tool: " + "x" * (REASON_CHARS + 1), False),
        ("no tool: a\nb", False),
        ("no tool", False),
        ("Sure, let me look.", False),
        ("\n".join([TEXT] * (MAX_CALLS + 1)), False),
        (f"{TEXT}{TEXT}", False),
        (f"no tool: chat\n{TEXT}", False),
        (f"{TEXT}\nno tool: chat", False),
        (f" {TEXT}", False),
        (TEXT.replace("track_order", "drop_tables"), False),
        (TEXT.replace("ORD-1234", "1234"), False),
        (TEXT.replace('"order_id"', '"order"'), False),
        (TEXT.replace(": {", ":{"), False),
        (TEXT.replace("</tool_call>", ""), False),
        ('{"tool": "no_tool", "reason": "chat"}', False),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_native_language(qwen3: Any, text: str, whole: bool):
    matcher = native()
    ids = qwen3.encode(text, add_special_tokens=False)
    accepted = matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()
    assert accepted is whole


@pytest.mark.parametrize("text", ["<tool_call>", "</tool_call>"])
def test_a_schema_that_mentions_a_marker_stays_text(qwen3: Any, text: str):
    grammar = f'start: opening body\nopening: "{text}"\nbody: %json {{"const": "{text}"}}\n'
    matcher = qwen3_grammars(False).matcher(asked(grammar))
    assert matcher is not None
    spelled = smollm2().encode(f'"{text}"', add_special_tokens=False)
    marker = qwen3.convert_tokens_to_ids(text)
    assert matcher.try_consume_tokens([marker, *spelled]) == 1 + len(spelled)
    assert matcher.is_accepting()


def wandered(matcher: Any, tokenizer: Any, rng: random.Random, limit: int) -> list[int] | None:
    """An answer written by chance alone, in haste to close what is open; None if it got long."""
    mask = llguidance.numpy.allocate_token_bitmask(1, len(tokenizer))
    closing = [
        i for text, i in tokenizer.get_vocab().items() if set(text) & set('"}') or "<" in text
    ]
    written: list[int] = []
    while len(written) < limit:
        llguidance.numpy.fill_next_token_bitmask(matcher, mask, 0)
        bits = numpy.unpackbits(mask[0].view(numpy.uint8), bitorder="little")
        if bits[tokenizer.eos_token_id] and rng.random() < 0.5:
            return written
        hasty = [i for i in closing if bits[i]] if rng.random() < 0.7 else []
        token = rng.choice(hasty or numpy.flatnonzero(bits).tolist())
        if token == tokenizer.eos_token_id:
            return written
        assert matcher.consume_token(token)
        written.append(token)
    return None


def test_whatever_the_native_grammar_lets_be_written_is_a_valid_answer(qwen3: Any):
    validators = {tool.name: ToolValidator(tool) for tool in DESK.tools}
    rng = random.Random(7)
    called: set[str] = set()
    for _ in range(60):
        matcher = native()
        opening = qwen3.convert_tokens_to_ids("<tool_call>")
        assert matcher.consume_token(opening)
        written = wandered(matcher, qwen3, rng, 400)
        if written is None:
            continue
        route = FORMATS["native"].parse(qwen3.decode([opening, *written], skip_special_tokens=True))
        assert route.calls, route.error
        for call in route.calls:
            assert not validators[call.tool].errors(call.arguments)
            called.add(call.tool)
    assert len(called) >= 5


def test_every_matcher_starts_afresh(qwen3: Any):
    prompt = asked(FORMATS["native"].language(DESK).grammar)
    ids = qwen3.encode("no tool: chat", add_special_tokens=False)
    for _ in range(2):
        matcher = qwen3_grammars(False).matcher(prompt)
        assert matcher is not None
        assert matcher.try_consume_tokens(ids) == len(ids)


def test_the_json_format_is_constrained_by_its_schema(plain: Grammars):
    language = FORMATS["json"].language(DESK)
    matcher = plain.matcher(asked(language.grammar, language.schema))
    assert matcher is not None
    ids = smollm2().encode('{"tool": "no_tool", "reason": "chat"}', add_special_tokens=False)
    assert matcher.try_consume_tokens(ids) == len(ids)
    assert matcher.is_accepting()


def test_without_a_language_nothing_is_constrained(plain: Grammars):
    assert plain.matcher(asked()) is None


def test_a_grammar_that_is_none_is_an_engine_error(plain: Grammars):
    with pytest.raises(EngineDown, match="no grammar"):
        plain.matcher(asked("start: nowhere\n"))
