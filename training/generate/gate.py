"""The gate: a teacher's answer to one task -> rows, and what was refused with its reason.

An answer holds JSON objects, one a line, in a list, in a fence or among prose; each is a row that
passes all of these checks or is refused by the first that it fails, whose name is its `code`. An
answer of which none passes the first check holds no rows.

- `parse`: it is JSON and an object, and its target is an answer as the router writes it;
- `schema`: it is a row, and its calls are ones that the toolset's schemas allow;
- `form`: the user speaks and has the last word, no_tool has a reason, all text is Unicode;
- `kind`: it is of kind `call` exactly if it makes one;
- `off_task`: it is what the task asked for: a call or none, which tool, which argument;
- `not_grounded`: every identifier comes from the user or a tool;
- `duplicate`: no earlier row has its masked form (`training.check.masks`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.grammar import REASON_CHARS
from gateway.grounding.ground import ungrounded
from gateway.types import Toolset
from gateway.validate import ToolValidator
from training.check.masks import Form, masked
from training.generate.plan import Task
from training.members import NoTarget, reason_of
from training.rows import Row, parse_row, row_json

_MEMBERS = ("request", "messages", "target", "kind")
_ON_LINE = re.compile(r"[\s,\[\]]*(?=\{)")
_AT_LINE = re.compile(r"^[ \t,\[]*(?=\{)", re.MULTILINE)
_SHOWN_CHARS = 200


class NoRows(ValueError):
    """An answer without a single row: nothing, prose, or objects that are none.

    The message says what the teacher wrote, and quotes it.
    """


@dataclass(frozen=True)
class Refused:
    """What became no row: the check that it failed, why, and its text as the teacher wrote it."""

    code: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Gated:
    """What passed and what did not; together, every object of an answer."""

    rows: tuple[Row, ...]
    refused: tuple[Refused, ...]


class _Fault(Exception):
    """A check that failed: `args` are its code and the reason."""


class Gate:
    """Judges answers for one toolset; remembers the rows that passed, to refuse their like."""

    def __init__(self, toolset: Toolset, known: Iterable[Row] = ()) -> None:
        """`known` are rows of the same data set that passed earlier.

        Raises:
            SchemaError: a tool's schema cannot be used.
        """
        self._toolset = toolset
        self._validators = {tool.name: ToolValidator(tool) for tool in toolset.tools}
        self._forms = {self._form(row) for row in known}

    def __call__(self, text: str, task: Task) -> Gated:
        """Judge the answer to a task.

        Raises:
            NoRows: there is nothing to judge.
        """
        rows: list[Row] = []
        refused: list[Refused] = []
        for raw in objects(text):
            try:
                row = self._row(raw, task)
            except _Fault as exc:
                refused.append(Refused(*exc.args, raw=raw))
            else:
                self._forms.add(self._form(row))
                rows.append(row)
        if not rows and all(item.code == "parse" for item in refused):
            raise NoRows(f"wrote no row ({refused[0].reason}): {_shown(text)}")
        return Gated(tuple(rows), tuple(refused))

    def _row(self, raw: str, task: Task) -> Row:
        """The row. Raises _Fault."""
        try:
            value: Any = json.loads(raw)
        except (ValueError, RecursionError) as exc:
            raise _Fault("parse", f"no JSON: {reason_of(exc)}") from None
        taken = {name: value[name] for name in _MEMBERS if name in value}
        stamp = {"voice": task.voice.name, "toolset": self._toolset.fingerprint}
        try:
            row = parse_row({"kind": task.kind, **taken, **stamp}, self._validators)
        except NoTarget as exc:
            raise _Fault("parse", reason_of(exc)) from None
        except (ValueError, RecursionError) as exc:
            raise _Fault("schema", reason_of(exc)) from None
        checks: tuple[tuple[str, Callable[[Row, Task], str | None]], ...] = (
            ("form", _form_fault),
            ("kind", _kind_fault),
            ("off_task", _task_fault),
            ("not_grounded", self._ground_fault),
            ("duplicate", self._like_fault),
        )
        for code, check in checks:
            fault = check(row, task)
            if fault:
                raise _Fault(code, fault)
        return row

    def _ground_fault(self, row: Row, _: Task) -> str | None:
        tools = self._toolset.by_name
        lacking = [
            f"{call.tool}{found.pointer} {found.value!r}"
            for call in row.calls
            for found in ungrounded(call, tools[call.tool], row.messages)
        ]
        return f"not in what the user or a tool says: {', '.join(lacking)}" if lacking else None

    def _like_fault(self, row: Row, _: Task) -> str | None:
        form = self._form(row)
        return f"an earlier row says the same: {' '.join(form)}" if form in self._forms else None

    def _form(self, row: Row) -> Form:
        # A request of signs alone has no words; only its equal is its duplicate.
        return masked(row, self._toolset, "", 0).form or (row.text.strip(),)


def objects(text: str) -> Iterator[str]:
    """The texts of an answer's JSON objects in their order; a broken one is its line.

    An object begins a line, or follows another one behind commas and brackets.

    Raises:
        NoRows: there is none.
    """
    decoder = json.JSONDecoder()
    found = _ON_LINE.match(text) or _AT_LINE.search(text)
    if found is None:
        raise NoRows(
            f"wrote prose and no rows: {_shown(text)}" if text.strip() else "wrote nothing at all"
        )
    while found:
        begin = found.end()
        try:
            _, end = decoder.raw_decode(text, begin)
        except (ValueError, RecursionError):
            line = text.find("\n", begin)
            end = len(text) if line < 0 else line
        yield text[begin:end].rstrip()
        found = _ON_LINE.match(text, end) or _AT_LINE.search(text, end)


def _shown(text: str) -> str:
    return repr(" ".join(text.split())[:_SHOWN_CHARS])


def _form_fault(row: Row, _: Task) -> str | None:
    if not row.text.strip() or row.messages[-1].role == "assistant":
        return "the user does not speak, or the assistant has the last word"
    reason = row.target.get("reason")
    if not row.calls and not (isinstance(reason, str) and 0 < len(reason.strip()) <= REASON_CHARS):
        return f"no_tool needs a reason of 1 to {REASON_CHARS} characters"
    try:
        json.dumps(row_json(row), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "holds text that is not valid Unicode"
    return None


def _kind_fault(row: Row, _: Task) -> str | None:
    fits = (row.kind == "call") == bool(row.calls)
    return None if fits else f"kind {row.kind!r} does not fit the target {dict(row.target)}"


def _task_fault(row: Row, task: Task) -> str | None:
    """Any kind of no_tool will do for another: where one ends and the next begins is not sharp."""
    if task.kind != "call":
        return f"asked for a row of kind {task.kind}, not for a call" if row.calls else None
    if [call.tool for call in row.calls] != [task.tool] or "calls" in row.target:
        return f"asked for one call of {task.tool}"
    if task.stated is None or (task.argument in row.calls[0].arguments) == task.stated:
        return None
    return f"asked for {task.argument} {'to be stated' if task.stated else 'not to be stated'}"
