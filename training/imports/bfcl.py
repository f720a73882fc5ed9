"""Rows from BFCL: each offers the case's own tools and wants what the benchmark accepts.

Only the training part of the split by tool (`training.bfcl.splits`) becomes rows, so that the test
part stays a yardstick; what is held out is refused by name. A case lists several accepted values;
the row wants the first, or the first that the user says. An argument that may be left out is
given only if the user says one of its values. Cases that no tool answers want no_tool; those
that accept any call teach nothing and are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gateway.types import Call
from training.bfcl.files import (
    ANY_CALL,
    CATEGORIES,
    NO_CALL,
    PACKAGE,
    Broken,
    Case,
    installed_data,
    read_category,
)
from training.bfcl.matching import Expected, calls_mismatch
from training.bfcl.splits import split
from training.imports.gate import Imported, Refused

NO_TOOL_REASON = "none of the tools does what is asked"
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*")


def read(path: Path) -> Iterator[Imported | Refused]:
    """Rows of BFCL's data folder, or of one question file in it, or of the installed package.

    The latter is meant by the path `bfcl-eval`. The split is over the whole folder either way.

    Raises:
        BfclError: a file is missing or cannot be read, or the package is not installed.
    """
    if path == Path(PACKAGE) and not path.exists():
        path, _ = installed_data()
    folder = path if path.is_dir() else path.parent
    cases: list[Case] = []
    broken: list[Broken] = []
    for category in CATEGORIES:
        found, unread = read_category(folder, category)
        cases += found
        broken += unread
    trained = {case.id for case in split(cases).train}
    wanted = None if path.is_dir() else path.name
    for item in broken:
        if wanted in (None, _file_name(item.place)):
            yield Refused(item.place, item.reason, item.raw)
    for case in cases:
        if wanted in (None, _file_name(case.place)):
            yield _row(case) if case.id in trained else _refused(case, "held out for the test part")


def _row(case: Case) -> Imported | Refused:
    if case.category in ANY_CALL:
        return _refused(case, "accepts any call, so there is none to learn")
    target = target_of(case)
    if target is None:
        return _refused(case, "no call of JSON values is accepted")
    only = case.messages[0] if len(case.messages) == 1 else None
    said = (
        {"request": only.content}
        if only
        else {"messages": [{"role": m.role, "content": m.content} for m in case.messages]}
    )
    value = {
        **said,
        "tools": case.offer.toolset.to_json()["tools"],
        "target": target,
        "kind": "out_of_scope" if case.category in NO_CALL else "call",
        "voice": f"bfcl_{case.category}",
    }
    return Imported(value, case.place)


def target_of(case: Case) -> dict[str, Any] | None:
    """The answer a row wants, with our tool names; None if the benchmark refuses it itself."""
    if case.category in NO_CALL:
        return {"tool": "no_tool", "reason": NO_TOOL_REASON}
    said = _words("\n".join(turn.content for turn in case.messages))
    calls = [Call(wanted.tool, _arguments(case, wanted, said)) for wanted in case.expected]
    if calls_mismatch(case.functions, case.expected, calls):
        return None
    made = [Call(case.offer.offered_name(c.tool), c.arguments).as_dict() for c in calls]
    return made[0] if len(made) == 1 else {"calls": made}


def _arguments(case: Case, expected: Expected, said: str) -> dict[str, Any]:
    tool = case.offer.toolset.by_name[case.offer.offered_name(expected.tool)]
    required = set(cast(list[str], tool.input_schema.get("required") or []))
    accepted = {
        name: [_settled(value, said) for value in values if value != "" or name not in required]
        for name, values in expected.arguments.items()
    }
    return _chosen(accepted, said)


def _chosen(accepted: Mapping[str, Sequence[Any]], said: str) -> dict[str, Any]:
    """A value for each name, of those accepted; none for a name that is better left out."""
    chosen: dict[str, Any] = {}
    for name, values in accepted.items():
        stated = [value for value in values if value != ""]
        spoken = [value for value in stated if _is_said(value, said)]
        if spoken or (stated and "" not in values):
            chosen[name] = (spoken or stated)[0]
    return chosen


def _settled(accepted: Any, said: str) -> Any:
    """An accepted value with its members chosen: objects list the values of each member."""
    if isinstance(accepted, dict):
        return _chosen(cast(Mapping[str, Sequence[Any]], accepted), said)
    if isinstance(accepted, list):
        items = cast(list[Any], accepted)
        return [_settled(item, said) if isinstance(item, dict) else item for item in items]
    return accepted


def _is_said(value: Any, said: str) -> bool:
    """Whether a text or number, or each part of a list or object, stands in the words said."""
    if isinstance(value, dict):
        value = list(cast(Mapping[str, Any], value).values())
    if isinstance(value, list):
        parts = cast(list[Any], value)
        return bool(parts) and all(_is_said(part, said) for part in parts)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    words = _words(f"{value:g}" if isinstance(value, float) else str(value))
    return words != "  " and words in said


def _words(text: str) -> str:
    """Words and numbers in lower case, a blank before and after each."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _refused(case: Case, reason: str) -> Refused:
    expected = [{call.tool: dict(call.arguments)} for call in case.expected]
    return Refused(case.place, reason, {"id": case.id, "expected": expected})


def _file_name(place: str) -> str:
    return Path(place.rpartition(":")[0]).name
