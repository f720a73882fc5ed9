"""The tools that the conformance scenarios call, but for those that ask in rounds."""

import base64
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    ImageContent,
    SamplingMessage,
    TextContent,
    TextResourceContents,
    Tool,
)
from mcp.types import ContentBlock as Content

Ctx = ServerRequestContext[Any, Any]
Called = Callable[[Ctx, CallToolRequestParams], Awaitable[Any]]
PAUSE_S = 0.05
"""The scenarios want news while a call runs, with time between them."""


def _png() -> str:
    """One red pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00"))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")).decode()


def _wav() -> str:
    """Two silent samples."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", 2) + b"\x80\x80"
    return base64.b64encode(struct.pack("<4sI", b"RIFF", len(body)) + body).decode()


PNG, WAV = _png(), _wav()


def plain(name: str, description: str, **arguments: Any) -> Tool:
    """A tool all of whose arguments are required."""
    schema = {"type": "object", "properties": arguments, "required": list(arguments)}
    return Tool(name=name, description=description, input_schema=schema)


def said(text: str, *more: Content, is_error: bool = False) -> CallToolResult:
    """A result that begins with a text."""
    return CallToolResult(content=[TextContent(type="text", text=text), *more], is_error=is_error)


def form(message: str, **fields: Any) -> ElicitRequest:
    """A question to the user; every field has to be filled in."""
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _resource(uri: str, mime: str, text: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime, text=text)
    return EmbeddedResource(type="resource", resource=contents)


_IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")
_AUDIO = AudioContent(type="audio", data=WAV, mime_type="audio/wav")
_NOTE = _resource("test://embedded-resource", "text/plain", "A note inside.")
_DATA = _resource("test://mixed-content-resource", "application/json", '{"value": 1}')
_TEXT = {"type": "string"}
_ADDRESS = {"$anchor": "place", "type": "object", "properties": {"city": {"type": "string"}}}
_SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": _ADDRESS},
    "properties": {
        "name": _TEXT,
        "address": {"$ref": "#/$defs/address"},
        "by": {"enum": ["phone", "email"]},
        "phone": _TEXT,
        "email": _TEXT,
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"by": {"const": "phone"}}, "required": ["by"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
_DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_PLAIN, _OLD = ["option1", "option2", "option3"], ["opt1", "opt2", "opt3"]
_TITLED = [{"const": f"value{n}", "title": f"Value {n}"} for n in (1, 2, 3)]
_ENUMS = {
    "untitledSingle": {"type": "string", "enum": _PLAIN},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {"type": "string", "enum": _OLD, "enumNames": ["One", "Two", "Three"]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}


def _always(result: CallToolResult) -> Called:
    async def call(_: Ctx, __: CallToolRequestParams) -> CallToolResult:
        return result

    return call


def _asking(*, own: bool = False, **fields: Any) -> Called:
    """Asks the user over the connection, as the handshake era does."""

    async def call(ctx: Ctx, params: CallToolRequestParams) -> CallToolResult:
        asked = str((params.arguments or {}).get("message", "Please fill this in."))
        schema = {"type": "object", "properties": fields, "required": list(fields) if own else []}
        answer = await ctx.session.elicit_form(asked, schema, ctx.request_id)
        return said(f"{answer.action}: {answer.content}")

    return call


async def _log(ctx: Ctx, _: CallToolRequestParams) -> CallToolResult:
    for text in ("begun", "under way", "done"):
        await ctx.session.send_log_message("info", text, related_request_id=ctx.request_id)
        await anyio.sleep(PAUSE_S)
    return said("logged")


async def _progress(ctx: Ctx, _: CallToolRequestParams) -> CallToolResult:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100)
        await anyio.sleep(PAUSE_S)
    return said("all done")


async def _sample(ctx: Ctx, params: CallToolRequestParams) -> CallToolResult:
    content = TextContent(type="text", text=str((params.arguments or {}).get("prompt")))
    made = await ctx.session.create_message(
        [SamplingMessage(role="user", content=content)],
        max_tokens=100,
        related_request_id=ctx.request_id,
    )
    return said(f"The model says: {getattr(made.content, 'text', '')}")


async def _reconnect(ctx: Ctx, _: CallToolRequestParams) -> CallToolResult:
    """The stream is closed under the call; its answer waits for a client that comes back."""
    if ctx.close_sse_stream is not None:
        await ctx.close_sse_stream()
    await anyio.sleep(PAUSE_S)
    return said("still here")


async def _needs_sampling(ctx: Ctx, _: CallToolRequestParams) -> CallToolResult:
    can = ctx.session.client_capabilities
    if can is None or can.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "this needs sampling", needed)
    return said("the client can sample")


TOOLS: tuple[tuple[Tool, Called], ...] = (
    (plain("test_simple_text", "Says one sentence."), _always(said("A plain sentence."))),
    (plain("test_image_content", "Shows."), _always(CallToolResult(content=[_IMAGE]))),
    (plain("test_audio_content", "Sounds."), _always(CallToolResult(content=[_AUDIO]))),
    (plain("test_embedded_resource", "Carries."), _always(CallToolResult(content=[_NOTE]))),
    (plain("test_multiple_content_types", "All."), _always(said("All of it:", _IMAGE, _DATA))),
    (plain("test_error_handling", "Fails."), _always(said("This always fails.", is_error=True))),
    (plain("test_tool_with_logging", "Logs as it goes."), _log),
    (plain("test_logging_tool", "Logs, to whoever wants it."), _log),
    (plain("test_tool_with_progress", "Tells how far it is."), _progress),
    (plain("test_sampling", "Asks the client's model.", prompt=_TEXT), _sample),
    (plain("test_elicitation", "Asks the user.", message=_TEXT),
     _asking(own=True, username=_TEXT, email=_TEXT)),
    (plain("test_elicitation_sep1034_defaults", "Asks, with defaults."), _asking(**_DEFAULTS)),
    (plain("test_elicitation_sep1330_enums", "Asks to choose."), _asking(**_ENUMS)),
    (plain("test_reconnection", "Cuts its stream."), _reconnect),
    (plain("test_missing_capability", "Needs a client that can sample."), _needs_sampling),
    (plain("test_mirrored_argument", "Has its argument in a header too.",
           region={"type": "string", "x-mcp-header": "Region"}), _always(said("mirrored"))),
    (Tool(name="json_schema_2020_12_tool", description="Has a schema of many keywords.",
          input_schema=_SCHEMA_2020_12), _always(said("valid"))),
)  # fmt: skip
"""Each with what calls it."""
