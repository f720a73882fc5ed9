"""Contradictory labels: requests that are alike while their targets are not.

Only rows that were offered the same tools can contradict each other: without the right tool, what
was a call becomes no_tool, and rows that say so are wanted.

Equal texts must want the same calls (an error). Rows that share only the mask of the whole
conversation (`Masked.plain`) should want the same tools with the same arguments (a warning, since
what the mask hides may be the reason). A malformed row is left out there: its value is what makes
it malformed, and the mask hides values.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from gateway.score import grade
from training.check.masks import Conversation, Form, Masked
from training.check.report import Finding, Severity, shown
from training.rows import Row

Signature = tuple[tuple[str, tuple[str, ...]], ...]


def signature(row: Row) -> Signature:
    """The wanted tools with the names of their arguments, whatever the order; empty for no_tool."""
    return tuple(sorted((call.tool, tuple(sorted(call.arguments))) for call in row.calls))


def contradictions(rows: Sequence[Masked]) -> Iterator[Finding]:
    """Rows of all splits that contradict each other, one finding a text or mask."""
    texts: dict[tuple[Conversation, str], list[Masked]] = defaultdict(list)
    plain: dict[tuple[Form, str], dict[Signature, list[Masked]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for item in rows:
        texts[item.conversation, item.offer].append(item)
        if item.row.kind != "malformed":
            plain[item.plain, item.offer][signature(item.row)].append(item)
    for same in texts.values():
        if not all(_agree(same[0].row, other.row) for other in same[1:]):
            yield _finding("error", "label_text", same)
    for wanted in plain.values():
        # One text with two labels is told above; what is left needs two texts.
        firsts = [group[0] for group in wanted.values()]
        if len(wanted) > 1 and len({item.conversation for item in firsts}) > 1:
            yield _finding("warning", "label_form", [i for g in wanted.values() for i in g])


def _agree(one: Row, other: Row) -> bool:
    """Whether the second row's calls would be graded as the right answer to the first."""
    if not one.calls or not other.calls:
        return not one.calls and not other.calls
    accept = {*one.accept, *other.accept}
    found = grade(one.calls, "call", other.calls, accept)
    return found.exact


def _finding(severity: Severity, rule: str, group: Sequence[Masked]) -> Finding:
    first = {wants(item.row): item for item in reversed(group)}
    detail = ", ".join(
        f"{shown(item.row.text)} wants {wanted}" for wanted, item in reversed(first.items())
    )
    return Finding(severity, rule, detail, tuple(item.place for item in group))


def wants(row: Row) -> str:
    """A row's label in words: the wanted tools with their arguments' names, or no_tool."""
    calls = [f"{tool}({', '.join(names)})" for tool, names in signature(row)]
    return " and ".join(calls) or "no_tool"
