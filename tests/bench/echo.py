"""The upstream of the benches of the MCP face: an echo tool, and a server with many tools.

    python -m tests.bench.echo PORT TOOLS

Serves the echo tool at `/mcp/`, TOOLS tools at `/many/`, and at `/plain` as many bytes as
`/size/N` asked for last: what a listing of that size costs on the wire alone.
"""

import contextlib
import sys
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, TextContent, Tool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
ECHO = Tool(name="echo", description="Says it again.", input_schema=SCHEMA)
WORDS = "Looks up what is known of one thing, and says so in a sentence or two."


def main() -> None:
    """Serve until told to stop."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    many = [Tool(name=f"tool_{n}", description=WORDS, input_schema=SCHEMA) for n in range(count)]
    uvicorn.run(app(many), port=port, log_level="warning")


def app(many: Sequence[Tool]) -> Starlette:
    """The application."""
    servers = {"/mcp": server([ECHO]), "/many": server(list(many))}
    mounts = [
        Mount(path, found.streamable_http_app(streamable_http_path="/"))
        for path, found in servers.items()
    ]
    body = b"x"

    async def plain(_: Request) -> Response:
        return Response(body, media_type="application/json")

    async def size(request: Request) -> Response:
        nonlocal body
        body = b"x" * int(request.path_params["size"])
        return Response()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for found in servers.values():
                await stack.enter_async_context(found.session_manager.run())
            yield

    routes = [Route("/plain", plain), Route("/size/{size:int}", size), *mounts]
    return Starlette(lifespan=lifespan, routes=routes)


def server(tools: list[Tool]) -> Server[Any]:
    """An MCP server of both eras whose every tool gives its text back."""

    async def listed(_: Any, __: Any) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    async def call(_: Any, params: CallToolRequestParams) -> CallToolResult:
        text = (params.arguments or {})["text"]
        return CallToolResult(content=[TextContent(type="text", text=text)])

    return Server(
        "bench",
        on_list_tools=listed,
        on_call_tool=call,
        get_tool_input_schema=lambda _: SCHEMA,
    )


if __name__ == "__main__":
    main()
