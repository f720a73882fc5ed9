"""A gateway whose MCP face is asked by the SDK's own client, and a server behind it that can do all
that the protocol knows: it reports progress, logs, asks back, and tells when it is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListToolsResult,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    PaginatedRequestParams,
    Prompt,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    SamplingMessage,
    SetLevelRequestParams,
    TextContent,
    TextResourceContents,
    Tool,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from gateway.app import build_app
from gateway.config import Config, ServerConfig
from gateway.engines.base import Engine
from gateway.engines.scripted import ScriptedEngine
from gateway.faces.parts import Parts
from tests.gateway.serving import ASK, TRACK
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, at, http

Ctx = ServerRequestContext[Any, Any]
NAME_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
ECHO = Tool(
    name="echo",
    description="Says it again.",
    input_schema={
        "type": "object",
        "properties": {"text": {"type": "string"}, "times": {"type": "integer", "maximum": 3}},
        "required": ["text"],
        "additionalProperties": False,
    },
)
OTHERS = ("steps", "log", "ask", "sample", "wait", "refuse")


def said(value: str, *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=value)], is_error=is_error)


class Able(Server[Any]):
    """A server of both eras. `name` tells its prompts and resources from another's."""

    def __init__(self, name: str = "able", *, tools: Sequence[Tool] | None = None) -> None:
        self.tools = list(tools) if tools is not None else [ECHO, *(_tool(n) for n in OTHERS)]
        self.called: list[str] = []
        self.levels: list[str] = []
        self.begun, self.cancelled = asyncio.Event(), asyncio.Event()
        super().__init__(
            name,
            instructions=f"{name} is here",
            on_list_tools=self._list_tools,
            on_call_tool=self._call,
            on_list_prompts=self._prompts,
            on_get_prompt=self._prompt,
            on_list_resources=self._resources,
            on_read_resource=self._read,
            on_completion=self._complete,
            get_tool_input_schema=lambda _: None,
        )
        self.add_request_handler("logging/setLevel", SetLevelRequestParams, self._level)

    async def _list_tools(self, ctx: Ctx, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=self.tools)

    async def _call(self, ctx: Ctx, params: CallToolRequestParams) -> Any:
        self.called.append(params.name)
        arguments = params.arguments or {}
        if params.name == "refuse":
            raise MCPError(-32050, "not on Sundays", {"day": "Sunday"})
        if params.name == "echo":
            return said(arguments["text"] * arguments.get("times", 1))
        if params.name in OTHERS:
            return await getattr(self, "_" + params.name)(ctx, params)
        return said(params.name)

    async def _steps(self, ctx: Ctx, params: CallToolRequestParams) -> CallToolResult:
        for step in (1, 2, 3):
            await ctx.session.report_progress(step, 3, f"step {step}")
        return said("done")

    async def _log(self, ctx: Ctx, params: CallToolRequestParams) -> CallToolResult:
        for level in ("debug", "warning"):
            message = LoggingMessageNotificationParams(level=level, data=f"{level} words")
            await ctx.session.send_notification(
                LoggingMessageNotification(params=message), related_request_id=ctx.request_id
            )
        return said("logged")

    async def _ask(self, ctx: Ctx, params: CallToolRequestParams) -> Any:
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            answer = await ctx.session.elicit_form("Who?", NAME_FORM, ctx.request_id)
            return said(f"hello {answer.content}")
        if params.input_responses is None:
            form = ElicitRequestFormParams(message="Who?", requested_schema=NAME_FORM)
            return InputRequiredResult(
                input_requests={"who": ElicitRequest(params=form)}, request_state="asked"
            )
        answer: Any = params.input_responses["who"]
        return said(f"hello {answer.content} {params.request_state}")

    async def _sample(self, ctx: Ctx, params: CallToolRequestParams) -> CallToolResult:
        message = SamplingMessage(role="user", content=TextContent(type="text", text="2+2?"))
        made = await ctx.session.create_message(
            [message], max_tokens=5, related_request_id=ctx.request_id
        )
        return said(f"it said {made.content.text}")

    async def _wait(self, ctx: Ctx, params: CallToolRequestParams) -> CallToolResult:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled.set()

    async def _prompts(self, ctx: Ctx, params: PaginatedRequestParams | None) -> ListPromptsResult:
        return ListPromptsResult(prompts=[Prompt(name=self.name), Prompt(name="shared")])

    async def _prompt(self, ctx: Ctx, params: GetPromptRequestParams) -> GetPromptResult:
        if params.name not in (self.name, "shared"):
            raise MCPError(INVALID_PARAMS, f"no prompt {params.name}")
        content = TextContent(type="text", text=f"{self.name} says {params.name}")
        return GetPromptResult(messages=[PromptMessage(role="user", content=content)])

    async def _resources(
        self, ctx: Ctx, params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        return ListResourcesResult(resources=[Resource(name="a", uri=f"{self.name}://listed")])

    async def _read(self, ctx: Ctx, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri = str(params.uri)
        if not uri.startswith(self.name + "://"):
            raise MCPError(INVALID_PARAMS, f"no resource {uri}")
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, text=f"read {uri}")])

    async def _complete(self, ctx: Ctx, params: CompleteRequestParams) -> CompleteResult:
        return CompleteResult(
            completion=Completion(values=[f"{self.name} {params.argument.value}"])
        )

    async def _level(self, ctx: Ctx, params: SetLevelRequestParams) -> dict[str, Any]:
        self.levels.append(params.level)
        return {}


def _tool(name: str) -> Tool:
    return Tool(name=name, input_schema={"type": "object"})


@dataclass(frozen=True)
class Face:
    """A running gateway with its address."""

    port: int
    parts: Parts

    def url(self, path: str = "/mcp") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @asynccontextmanager
    async def client(self, mode: Any, path: str = "/mcp", **more: Any) -> AsyncIterator[Client]:
        async with (
            asyncio.timeout(4 * PATIENCE_S),
            Client(self.url(path), mode=mode, cache=None, **more) as client,
        ):
            yield client


@asynccontextmanager
async def gateway(config: Config, engine: Engine | None = None) -> AsyncIterator[Face]:
    """A gateway on a port of its own whose servers have listed."""
    app = build_app(config, engine=engine or ScriptedEngine({ASK: TRACK}))
    async with http(app) as port:
        parts: Parts = app.state.parts
        for upstream in parts.watch.upstreams:
            await upstream.first_listing(PATIENCE_S)
        yield Face(port, parts)


@asynccontextmanager
async def behind(
    *servers: Server[Any], tmp_path: Path, era: Any = "auto", **more: Any
) -> AsyncIterator[Face]:
    """A gateway before servers that stand in this process, which it meets in an era."""
    async with AsyncExitStack() as stack:
        configs: list[ServerConfig] = []
        for server in servers:
            port = await stack.enter_async_context(http(server.streamable_http_app()))
            prefix = f"{server.name}_" if len(servers) > 1 else ""
            configs.append(at(port, server.name, prefix=prefix, mode=era))
        config = Config(servers=tuple(configs), adapter_store=tmp_path / "store", **more)
        yield await stack.enter_async_context(gateway(config))


def modern(method: str, params: dict[str, Any], request_id: Any = 1) -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": method,
        "params": {**params, "_meta": meta},
    }


def modern_headers(method: str, name: str | None = None) -> dict[str, str]:
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
    }
    return headers if name is None else {**headers, "mcp-name": name}


def text(result: Any) -> str:
    return result.content[0].text
