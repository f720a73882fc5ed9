"""Text in a tool's definition that a person does not see, or that speaks to the model.

Finds three kinds, and says where: `invisible` characters, `markup` that hides text or loads
something, and `instruction`s to the model that no description needs. Conservative: what honest
servers write is not flagged, so a definition without flags is not proven harmless. Pure.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

from mcp.types import Tool

from gateway.pointer import at

Kind = Literal["invisible", "markup", "instruction"]
_MAX_FINDINGS = 20
_SHOWN = 80

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    "|[\u200b\u2060-\u2064\u206a-\u206f\ufeff\u180e\u3164\ufff9-\ufffb]+"
    # Joiners belong between the letters of some scripts and the parts of some emoji, not here.
    "|(?<=[\x20-\x7e])[\u200c\u200d]+(?=[\x20-\x7e])"
    "|[\u202a-\u202e\u2066-\u2069]"
    # Three flags (England's, Scotland's, Wales's) are a black flag and tags; nothing else is.
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]+"
    "|[\U000e0100-\U000e01ef]{2,}"
)
_MARKUP = re.compile(
    r"<!--"
    r"|<(?:script|iframe|img|object|embed|style|svg|link|meta)\b[^<>]*>"
    r"|<(?:important|instructions?|secret|hidden|system[-_ ]?(?:prompt|note|message))>"
    r"|</(?:system|assistant)>"
    r"|<\|(?:im_start|im_end|system|assistant|endoftext)\|>"
    r"|!\[[^\]]{0,300}\]\(https?://"
    r"|\bdisplay\s*:\s*none\b",
    re.IGNORECASE,
)
_TOLD = r"(?:instructions?|prompts?|rules|messages?|directions|guidelines)"
_INSTRUCTION = re.compile(
    rf"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+)?(?:of\s+)?(?:the\s+|your\s+)?"
    rf"(?:previous|prior|above|earlier|preceding|other|system)\s+{_TOLD}\b"
    r"|\b(?:do\s+not|don't|never)\s+(?:tell|inform|notify|alert|warn|mention|reveal|disclose)\b"
    r"[^.\n]{0,60}\b(?:the\s+)?user\b"
    r"|\bwithout\s+(?:telling|informing|notifying|alerting)\s+(?:the\s+)?user\b"
    r"|\b(?:hide|conceal|keep)\s+(?:this|it)\s+(?:secret\s+)?from\s+(?:the\s+)?user\b"
    r"|\byou\s+are\s+now\s+(?:a|an|in)\b"
    r"|\b(?:read|send|include|upload|pass|attach)\b[^.\n]{0,80}"
    r"(?:~/\.ssh|\bid_rsa\b|~/\.aws|\.cursor/mcp\.json|\b(?:your|the)\s+system\s+prompt\b)",
    re.IGNORECASE,
)
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("invisible", _INVISIBLE), ("markup", _MARKUP), ("instruction", _INSTRUCTION),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """What is suspicious: its kind, where it stands (a JSON Pointer), the text made visible."""

    kind: Kind
    pointer: str
    text: str

    def as_dict(self) -> dict[str, Any]:
        """The form of `/v1/tools`, of held definitions and of the log."""
        return {"kind": self.kind, "pointer": self.pointer, "text": self.text}


def suspicious(text: str, pointer: str = "") -> list[Finding]:
    """What is suspicious about one text, at most one finding of each kind."""
    found: list[Finding] = []
    for kind, pattern in _PATTERNS:
        match = pattern.search(text)
        if match is not None:
            found.append(Finding(kind, pointer, _visible(match[0])))
    return found


def findings(tool: Tool) -> tuple[Finding, ...]:
    """What is suspicious about a tool's definition, wherever in it a text stands."""
    found: list[Finding] = []
    for pointer, text in _texts(tool.model_dump(by_alias=True, mode="json", exclude_none=True)):
        found += suspicious(text, pointer)
        if len(found) >= _MAX_FINDINGS:
            break
    return tuple(found[:_MAX_FINDINGS])


def _texts(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a JSON value, the keys among them, with its pointer; no recursion."""
    places: deque[tuple[str, Any]] = deque([("", value)])
    while places:
        pointer, item = places.popleft()
        if isinstance(item, str):
            yield pointer, item
        elif isinstance(item, dict):
            for key, inner in cast(dict[str, Any], item).items():
                below = at(pointer, key)
                yield below, key
                places.append((below, inner))
        elif isinstance(item, list):
            places += ((f"{pointer}/{i}", x) for i, x in enumerate(cast(list[Any], item)))


def _visible(text: str) -> str:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
