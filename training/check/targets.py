"""Each row's target against its own request and the tools on offer."""

import re
from collections.abc import Iterator, Sequence

from gateway.arguments import arguments
from gateway.grounding.ground import ungrounded
from gateway.types import Call, Toolset
from training.check.arguments import is_free_text, optional
from training.check.masks import Masked
from training.check.report import Finding, shown
from training.rows import Require, Row, ToolsetMismatch


def offers(rows: Sequence[Masked], toolset: Toolset, require: Require) -> Iterator[Finding]:
    """Rows that were not made for the tools on offer, one error for all.

    `require` is the rule that training itself goes by (`training.rows.REQUIRE`).
    """
    try:
        require([item.row for item in rows], toolset)
    except ToolsetMismatch as exc:
        wrong = [item for item in rows if _refused(item.row, toolset, require)]
        detail = str(exc).split("\n", 1)[0].rstrip(":")
        yield Finding("error", "toolset", detail, tuple(item.place for item in wrong))


def _refused(row: Row, toolset: Toolset, require: Require) -> bool:
    try:
        require([row], toolset)
    except ToolsetMismatch:
        return True
    return False


def target_findings(item: Masked, toolset: Toolset) -> Iterator[Finding]:
    """What is wrong with one row's calls: identifiers, free text, optional values left out."""
    offered = item.row.offered or toolset
    for call in item.row.calls:
        for found in ungrounded(call, offered.by_name[call.tool], item.row.messages):
            detail = f"{call.tool} {found.pointer} {found.value!r}: {shown(item.row.text)}"
            yield Finding("error", "ungrounded", detail, (item.place,))
        yield from _free_text(item, call, offered)
    if len(item.row.calls) == 1:
        yield from _left_out(item, item.row.calls[0], offered)


def _free_text(item: Masked, call: Call, offered: Toolset) -> Iterator[Finding]:
    """Free text that no turn of the user holds as whole words, letter by letter."""
    turns = [_one_line(m.content) for m in item.row.messages if m.role == "user"]
    for argument in arguments(call, offered.by_name[call.tool]):
        if is_free_text(argument, item.row.accept):
            span = _one_line(str(argument.value))
            if not any(re.search(_whole(span), turn) for turn in turns):
                why = _why_not(span, turns)
                detail = f"{call.tool} {argument.pointer} {shown(span)} {why}"
                yield Finding("warning", "not_a_span", detail, (item.place,))


def _why_not(span: str, turns: Sequence[str]) -> str:
    if any(span in turn for turn in turns):
        return f"begins or ends within a word: {shown(' / '.join(turns))}"
    if any(span.casefold() in turn.casefold() for turn in turns):
        return f"is said in other letters: {shown(' / '.join(turns))}"
    return f"is not said like this: {shown(' / '.join(turns))}"


def _left_out(item: Masked, call: Call, offered: Toolset) -> Iterator[Finding]:
    """Words of an optional argument's enum that are said while the argument is left out.

    Only what is safe to tell: the default changes nothing, a word within an argument's own value
    belongs to that value, and of several calls it is not clear which one a word is for.
    """
    tool = offered.by_name[call.tool]
    said = item.row.text.casefold()
    for argument in arguments(call, tool):
        if isinstance(argument.value, str):
            said = re.sub(_whole(argument.value.casefold()), " ", said)
    for name, schema in optional(tool).items():
        words = [word for word in schema.get("enum") or () if isinstance(word, str) and word]
        words = [word for word in words if word != schema.get("default")]
        found = [w for w in words if re.search(_whole(w.casefold()), said)]
        if found and name not in call.arguments:
            detail = f"{call.tool} without {name}, but {', '.join(found)} is said: "
            yield Finding("warning", "left_out", detail + shown(item.row.text), (item.place,))


def _whole(words: str) -> str:
    return rf"(?<!\w){re.escape(words)}(?!\w)"


def _one_line(text: str) -> str:
    return " ".join(text.split())
