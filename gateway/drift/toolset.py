"""Grade the live tools against those an adapter was trained on.

- `none`: equal as JSON (key order never counts);
- `notation`: another spelling of the same meaning, a title, annotations that do not weaken safety;
- `description`: a text the model reads changed, or a safety hint weakened;
- `compatible`: an optional argument was added, or whatever was accepted still is, and more;
- `added`: a tool the adapter never saw;
- `breaking`: an argument became required, was removed or retyped, a bound or enum narrowed, or
  anything else that is not proven compatible;
- `renamed`: the same tool under another name;
- `removed`: the tool is gone.

Pure functions over values: nothing here knows adapters, logs or policies.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mcp.types import Tool

from gateway.drift.changes import Change, Drift, ToolDrift, worst
from gateway.drift.renames import successors
from gateway.drift.schema import schema_changes
from gateway.drift.words import squeezed
from gateway.types import Toolset


def compare(trained: Toolset, live: Mapping[str, Tool]) -> Drift:
    """Grade the live tools against those an adapter was trained on."""
    renamed = successors(trained.by_name, live)
    found: list[ToolDrift] = []
    for tool in trained.tools:
        now = live.get(tool.name)
        if now is not None:
            changes = tuple(_changes(tool, now))
            if changes:
                grade = worst(change.grade for change in changes)
                found.append(ToolDrift(tool.name, grade, changes))
        elif tool.name in renamed:
            name, score = renamed[tool.name]
            changes = (Change("/name", "renamed", tool.name, name), *_changes(tool, live[name]))
            found.append(ToolDrift(tool.name, "renamed", changes, name, score))
        else:
            found.append(ToolDrift(tool.name, "removed"))
    taken = {name for name, _ in renamed.values()}
    unseen = (name for name in live if name not in trained.by_name and name not in taken)
    found += [ToolDrift(name, "added") for name in unseen]
    return Drift(tuple(found))


def _changes(before: Tool, after: Tool) -> Iterator[Change]:
    if before is after:
        return
    was, now = before.description, after.description
    if was != now:
        spelt = squeezed(was) == squeezed(now)
        yield Change("/description", "notation" if spelt else "description", was, now)
    yield from schema_changes(before.input_schema, after.input_schema, "/inputSchema")
    if before.title != after.title:
        yield Change("/title", "notation", before.title, after.title)
    if before.annotations != after.annotations:
        yield from _annotation_changes(before, after)


def _annotation_changes(before: Tool, after: Tool) -> Iterator[Change]:
    old, new = _annotations(before), _annotations(after)
    # Defaults of the MCP specification: not read-only, destructive, not idempotent, open world.
    weaker = (
        old.get("readOnlyHint", False) and not new.get("readOnlyHint", False),
        not old.get("destructiveHint", True) and new.get("destructiveHint", True),
        old.get("idempotentHint", False) and not new.get("idempotentHint", False),
        not old.get("openWorldHint", True) and new.get("openWorldHint", True),
    )
    if old != new:
        yield Change("/annotations", "description" if any(weaker) else "notation", old, new)


def _annotations(tool: Tool) -> dict[str, Any]:
    return tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
