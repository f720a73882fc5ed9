"""The values that flow between the steps of a request.

Everything here is frozen and free of I/O. A tool is always the `mcp` type its server sent;
the words are those of the README's glossary.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

from mcp.types import Tool

from gateway.fingerprint import tool_fingerprint, toolset_fingerprint

RESERVED_NAMES = frozenset({"no_tool", "route"})
"""Names that no upstream's tool may carry: an answer of the router, and our own tool."""

Role = Literal["system", "user", "assistant", "tool"]
Outcome = Literal["call", "no_tool", "abstained", "invalid"]
ReasonCode = Literal["parse", "schema", "not_grounded", "low_confidence", "drift", "policy"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, as text. A tool's result has the role `tool`."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Call:
    """A proposed or dispatched tool call: the tool's name as agents see it, and its arguments."""

    tool: str
    arguments: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The call in the form every face shows it."""
        return {"tool": self.tool, "arguments": self.arguments}


@dataclass(frozen=True)
class Toolset:
    """A named, ordered, immutable selection of tools; what one adapter serves."""

    name: str
    tools: tuple[Tool, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Tool]:
        """Tool name -> tool."""
        return {tool.name: tool for tool in self.tools}

    @cached_property
    def fingerprints(self) -> Mapping[str, str]:
        """Tool name -> fingerprint."""
        return {tool.name: tool_fingerprint(tool) for tool in self.tools}

    @cached_property
    def fingerprint(self) -> str:
        """The toolset's own fingerprint; the order of the tools does not enter it."""
        return toolset_fingerprint(self.fingerprints)

    def to_json(self) -> dict[str, Any]:
        """The form of `toolset.json`: the tools as listed, each with its fingerprint."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "tools": [
                {**tool.model_dump(by_alias=True, mode="json", exclude_none=True),
                 "fingerprint": self.fingerprints[tool.name]}
                for tool in self.tools
            ],
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Any) -> "Toolset":
        """Read `toolset.json`, or any `tools/list` result with a `name` or `server` beside it.

        Raises:
            ValueError: no tools, or a tool that is not an MCP tool.
        """
        if not isinstance(value, Mapping):
            raise ValueError("a toolset is a JSON object")
        name, listed = value.get("name") or value.get("server"), value.get("tools")
        if not isinstance(name, str) or not isinstance(listed, list) or not listed:
            raise ValueError("a toolset needs a name and at least one tool")
        return cls(name, tuple(_tool(tool) for tool in cast(list[Any], listed)))


def _tool(value: Any) -> Tool:
    if isinstance(value, dict):
        value = {k: v for k, v in cast(dict[str, Any], value).items() if k != "fingerprint"}
    return Tool.model_validate(value)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Natural log-probability of an answer, in two parts that add up to it.

    `decided`: which tools, which arguments, which values; `worded`: the tokens within free text.
    """

    decided: float
    worded: float = 0.0


@dataclass(frozen=True, slots=True)
class Route:
    """What the router model answered, parsed but not yet judged.

    Exactly one of three holds: `calls` is not empty; `error` says why the text is no answer;
    otherwise the answer is no_tool and `reason` its reason.
    """

    calls: tuple[Call, ...] = ()
    reason: str | None = None
    error: str | None = None
    confidence: float | None = None
    evidence: Evidence | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def is_no_tool(self) -> bool:
        """Whether the model decided that no tool fits."""
        return not self.calls and self.error is None
