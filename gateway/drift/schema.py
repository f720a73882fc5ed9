"""Every change between two input schemas, each at its JSON Pointer with its grade.

The schemas are compared in normal form (`comparison`). What remains equal in meaning is `notation`;
what is not settled within a bounded number of steps is `breaking`. Knows schemas, not tools.
"""

from typing import Any, cast

from gateway.drift.bounded import Unbounded, is_deep, same
from gateway.drift.cases import inverts
from gateway.drift.changes import Change
from gateway.drift.comparison import Comparison
from gateway.drift.normal import normal
from gateway.drift.spelling import spelling
from gateway.drift.words import Schema, dialect


def schema_changes(before: Any, after: Any, pointer: str) -> list[Change]:
    """Every change between two schemas as sent; none if they are equal as JSON."""
    if before is after or same(before, after):
        return []
    unproven = [Change(pointer, "breaking", before, after)]
    if is_deep(before) or is_deep(after):
        return unproven
    try:
        old, new = normal(before), normal(after)
        found = list(Comparison(pointer).changes(old, new, pointer))
    except (Unbounded, RecursionError):
        return unproven
    if not _is_understood(before, after, found) or _is_circular(old, new, found):
        return unproven
    told = {change.pointer for change in found}
    spelt = spelling(before, after, pointer, only_annotations=bool(found))
    return found + [change for change in spelt if change.pointer not in told]


def _is_understood(before: Any, after: Any, found: list[Change]) -> bool:
    """False where calls may depend on a draft of JSON Schema that is not known here."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return True
    old, new = cast(Schema, before), cast(Schema, after)
    if dialect(old) is not None and dialect(new) is not None:
        return True
    meant = any(change.grade in ("compatible", "breaking") for change in found)
    return not meant and same(old.get("$schema"), new.get("$schema"))


def _is_circular(old: Schema, new: Schema, found: list[Change]) -> bool:
    """Whether the proof that values are still accepted takes for granted that they are the same."""
    proven = any(change.grade in ("notation", "compatible") for change in found)
    return proven and (inverts(old) or inverts(new))
