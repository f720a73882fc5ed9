"""Two schemas of one tool, and how the change from one to the other is graded."""

from typing import Any

from mcp.types import Tool

from gateway.drift import Change, DriftGrade, compare
from gateway.types import Toolset

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    tools = [Tool(name="it", input_schema=schema) for schema in (before, after)]
    return [
        c for t in compare(Toolset("its", (tools[0],)), {"it": tools[1]}).tools for c in t.changes
    ]


def grade(before: dict[str, Any], after: dict[str, Any]) -> DriftGrade:
    tools = [Tool(name="it", input_schema=schema) for schema in (before, after)]
    return compare(Toolset("its", (tools[0],)), {"it": tools[1]}).worst


def one(schema: Any, **root: Any) -> dict[str, Any]:
    """The schema of a tool with one argument `x`."""
    return {"type": "object", "properties": {"x": schema}, **root}
