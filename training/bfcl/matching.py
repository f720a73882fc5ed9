"""When a call counts as right on BFCL: its own comparison, in words of ours, pure.

A case lists possible calls, each argument with the values that are accepted. The rules:

- There are as many calls as expected ones, in any order; each expected call in turn takes the
  first call left that fits it, as the benchmark does.
- The tool's name is equal; every argument that the tool requires is given; every argument given
  is known to the tool and to the expected call; one that is not given lists `""` as a value.
- A value has the declared type exactly (true is no integer), but an integer passes for a float.
  A list's items have the declared type too, or that of the accepted list's first item.
- A text matches without regard to case, blanks and `,./-_*^`, and either quote for the other; so
  do the texts that stand directly in a list or as an object's member. Deeper ones are compared
  as they are, as is everything else.
- An object's members each list their accepted values, again with `""` for one that may be left
  out. A list of objects is compared in order. For a list `""` also accepts the empty list.
- If the values listed are of another type than the declared one, that type passes as well and
  every value is compared as it is: so the benchmark writes variables (`"my_data"` for a list).
- Cases without expected calls want none (irrelevance) or at least one of any kind (relevance).

Source: the behaviour of `bfcl-eval`'s AST checker for Python, release 2026.3.23.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from gateway.types import Call

Kind = Literal[
    "unreadable", "no_call", "needless_call", "count", "tool", "missing", "unexpected", "type",
    "value",
]  # fmt: skip
PYTHON_TYPES: Mapping[str, type] = {
    "string": str, "integer": int, "float": float, "boolean": bool, "array": list, "tuple": list,
    "dict": dict, "any": str,
}  # fmt: skip
"""Declared type -> the type that a value must have."""
_IGNORED = re.compile(r"[ ,./\-_*^]")


@dataclass(frozen=True)
class Expected:
    """One call that is wanted: each argument with its accepted values; `""`: may be left out."""

    tool: str
    arguments: Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Mismatch:
    """Why an answer does not count; `kind` is for counting, `detail` for reading."""

    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


def relevance_mismatch(calls: Sequence[Call], *, wanted: bool) -> Mismatch | None:
    """Judge a case that lists no calls: `wanted` asks for some call, otherwise for none."""
    if wanted and not calls:
        return Mismatch("no_call", "nothing was called")
    if calls and not wanted:
        return Mismatch("needless_call", f"{calls[0].tool} was called, no tool fits")
    return None


def calls_mismatch(
    functions: Sequence[Mapping[str, Any]], expected: Sequence[Expected], calls: Sequence[Call]
) -> Mismatch | None:
    """Judge calls against the expected ones; None if they match.

    `functions` are the tools on offer in BFCL's dialect; names are BFCL's own.
    """
    if expected and not calls:
        return Mismatch("no_call", "nothing was called")
    if len(calls) != len(expected):
        return Mismatch("count", f"{len(calls)} calls instead of {len(expected)}")
    described = {str(function["name"]): function for function in functions}
    left = list(calls)
    for wanted in expected:
        parameters = described[wanted.tool]["parameters"]
        found = [(call_mismatch(parameters, wanted, call), call) for call in left]
        fitting = next((call for mismatch, call in found if mismatch is None), None)
        if fitting is None:
            mismatches = [mismatch for mismatch, _ in found if mismatch]
            return min(mismatches, key=lambda mismatch: mismatch.kind == "tool")
        left.remove(fitting)
    return None


def call_mismatch(parameters: Mapping[str, Any], expected: Expected, call: Call) -> Mismatch | None:
    """Judge one call against one expected call; `parameters` is the tool's description of them."""
    if call.tool != expected.tool:
        return Mismatch("tool", f"{call.tool} instead of {expected.tool}")
    required = cast(Sequence[str], parameters.get("required") or ())
    for name in required:
        if name not in call.arguments:
            return Mismatch("missing", f"{name} is required")
    properties = cast(Mapping[str, Mapping[str, Any]], parameters["properties"])
    for name, value in call.arguments.items():
        if name not in properties or name not in expected.arguments:
            return Mismatch("unexpected", f"{name} was not to be given")
        kind = _argument_mismatch(value, expected.arguments[name], properties[name])
        if kind:
            return Mismatch(kind, f"{name} is {value!r}, accepted {expected.arguments[name]!r}")
    for name, accepted in expected.arguments.items():
        if name not in call.arguments and "" not in accepted:
            return Mismatch("missing", f"{name} was to be given")
    return None


def _argument_mismatch(
    value: Any, accepted: Sequence[Any], declared: Mapping[str, Any]
) -> Literal["type", "value"] | None:
    wanted = PYTHON_TYPES[declared["type"]]
    if wanted is float and type(value) is int:
        value = float(value)
    stated = _stated_type(accepted)
    other_type = stated is not None and stated is not wanted
    item_type = PYTHON_TYPES[declared["items"]["type"]] if wanted is list else None
    if type(value) is wanted:
        if item_type and not _items_fit(value, accepted, item_type):
            return "type"
    elif not (other_type and type(value) is stated):
        return "type"
    same = value in accepted if other_type else _accepted(value, accepted, wanted, item_type)
    return None if same else "value"


def _stated_type(accepted: Sequence[Any]) -> type | None:
    """The type of the first accepted value; None if the argument can only be left out."""
    return next((type(value) for value in accepted if value != ""), None)


def _items_fit(value: list[Any], accepted: Sequence[Any], item_type: type) -> bool:
    """Whether the items have the declared type, or that of some accepted list's first item."""
    return any(
        not isinstance(choice, list)
        or {type(item) for item in value} <= {item_type, _stated_type(cast(list[Any], choice))}
        for choice in accepted
    )


def _accepted(value: Any, accepted: Sequence[Any], wanted: type, item_type: type | None) -> bool:
    if wanted is dict:
        return any(_object_fits(value, choice) for choice in accepted)
    if wanted is list and item_type is dict:
        return any(_objects_fit(value, choice) for choice in _lists(accepted))
    if wanted is list:
        return _loosely(value) in [_loosely(choice) for choice in _lists(accepted)]
    return _among(value, accepted)


def _lists(accepted: Sequence[Any]) -> list[list[Any]]:
    choices = [[] if choice == "" else choice for choice in accepted]
    return [cast(list[Any], choice) for choice in choices if isinstance(choice, list)]


def _objects_fit(value: Sequence[Any], choice: Sequence[Any]) -> bool:
    return len(value) == len(choice) and all(map(_object_fits, value, choice))


def _object_fits(value: Any, choice: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(choice, dict):
        return False
    members = cast(dict[str, Any], value)
    listed = cast(dict[str, Sequence[Any]], choice)
    given = all(name in listed and _among(members[name], listed[name]) for name in members)
    return given and all(name in members or "" in listed[name] for name in listed)


def _among(value: Any, accepted: Sequence[Any]) -> bool:
    return _plain(value) in [_plain(choice) for choice in accepted]


def _loosely(items: Sequence[Any]) -> list[Any]:
    return [_plain(item) for item in items]


def _plain(value: Any) -> Any:
    """A text without what the benchmark does not compare; any other value as it is."""
    if not isinstance(value, str):
        return value
    return _IGNORED.sub("", value).lower().replace("'", '"')
