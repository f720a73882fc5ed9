"""Content hashes of tools and toolsets.

A fingerprint covers what a model can learn from a tool: its name as agents see it, its
description and its input schema, as sent. Key order never matters: the bytes hashed are the
RFC 8785 (JSON Canonicalization Scheme) form. Imports nothing of ours.
"""

import hashlib
import json
import marshal
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785
from mcp.types import Tool

FINGERPRINT_DIGITS = 16
"""As many of a toolset's fingerprint's digits as a row must name."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    What RFC 8785 cannot carry (an integer beyond 2**53, which some servers put into `maximum`,
    or half a surrogate pair) falls back to JSON with sorted keys, so that every tool has a
    fingerprint.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(value: Any) -> str:
    """sha256 (hex) over the canonical form of a JSON value."""
    return hashlib.sha256(canonical(value)).hexdigest()


def tool_fingerprint(tool: Tool) -> str:
    """sha256 (hex) over {name, description, inputSchema}; an absent description is left out."""
    value: dict[str, Any] = {"name": tool.name, "inputSchema": tool.input_schema}
    if tool.description is not None:
        value["description"] = tool.description
    return digest(value)


def toolset_fingerprint(fingerprints: Mapping[str, str]) -> str:
    """sha256 (hex) over {name: fingerprint}, whatever the order."""
    return digest(dict(fingerprints))


def content_key(tools: Iterable[Tool]) -> bytes:
    """The same for tools with the same fingerprints in the same order and form; far cheaper.

    It keeps what was worked out about tools that come with every request. It holds within one
    process and is never shown.
    """
    value = [(tool.name, tool.description, tool.input_schema) for tool in tools]
    return hashlib.sha256(marshal.dumps(value, 2)).digest()  # from 3 on, bytes depend on sharing
