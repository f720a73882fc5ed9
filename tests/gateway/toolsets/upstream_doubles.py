"""Real MCP servers for the tests of upstreams: a script over stdio, and the SDK's server over HTTP.

The script is plain Python (it starts in a blink) and reads its tools from a file at every
request, so that a test changes them while it runs. The HTTP server stands in the test's own loop.
"""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.lowlevel import NotificationOptions
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    TextContent,
    Tool,
)

from gateway.config import ServerConfig
from gateway.toolsets.listing import Listing
from gateway.toolsets.upstream import Upstream

PATIENCE_S = 15
"""How long a test waits for what must happen; it is never waited out."""

SCRIPT = r"""
import json, os, sys
folder = sys.argv[1]
def told():
    with open(os.path.join(folder, "told.json"), encoding="utf-8") as file:
        return json.load(file)
def send(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()
def text(value):
    return {"content": [{"type": "text", "text": value}]}
def listed(params):
    pages = told()["pages"]
    index = int(params.get("cursor") or 0)
    page = pages[index]
    if isinstance(page, dict):
        return page
    more = {"nextCursor": str(index + 1)} if index + 1 < len(pages) else {}
    return {"tools": page, **more, **told().get("beside", {})}
def called(name, arguments):
    if name == "die":
        os._exit(3)
    if name == "hang":
        return None
    if name == "refuse":
        return {"error": {"code": -32602, "message": "not on Sundays"}}
    if name == "mumble":
        return {"content": "text"}
    if name == "big":
        return text("x" * arguments["size"])
    if name == "noise":
        sys.stdout.buffer.write(b"Server started \xff\xfe on port 80\n\n{\"hello\": 1}\n")
    if name == "change":
        send(method="notifications/tools/list_changed")
    return text(name + json.dumps(arguments, sort_keys=True, ensure_ascii=False))
def answer(method, params):
    if method == "initialize":
        tools = {"listChanged": True} if told().get("advertise", True) else {}
        return {"protocolVersion": "2025-11-25", "capabilities": {"tools": tools},
                "serverInfo": {"name": "script", "version": "1"}}
    if method == "tools/list":
        return listed(params)
    if method == "tools/call":
        return called(params["name"], params.get("arguments") or {})
    return {"error": {"code": -32601, "message": "Method not found"}}
for line in sys.stdin:
    message = json.loads(line)
    with open(os.path.join(folder, "seen"), "a") as seen:
        seen.write(message["method"] + "\n")
    if message["method"] in told().get("dies_of", ()):
        os._exit(4)
    if "id" not in message or message["method"] in told().get("ignores", ()):
        continue
    result = answer(message["method"], message.get("params") or {})
    if result is not None:
        body = result if "error" in result else {"result": result}
        send(id=message["id"], **body)
"""


def tool(name: str, **more: Any) -> dict[str, Any]:
    """A tool as it stands on the wire."""
    return {"name": name, "inputSchema": {"type": "object"}} | more


class Script:
    """A stdio server in a folder of its own; `tell` sets what it answers from now on."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.py").write_text(SCRIPT)
        self.tell(*names)

    def tell(self, *names: str, **more: Any) -> None:
        self.tell_pages([tool(name) for name in names], **more)

    def tell_pages(self, *pages: Any, **more: Any) -> None:
        new = self.folder / "new.json"
        new.write_text(json.dumps({"pages": pages, **more}))
        new.replace(self.folder / "told.json")

    def seen(self) -> list[str]:
        """The methods of all messages so far, over all lives of the process."""
        path = self.folder / "seen"
        return path.read_text().split() if path.exists() else []

    def config(self, name: str = "script", **settings: Any) -> ServerConfig:
        args = (str(self.folder / "server.py"), str(self.folder))
        return ServerConfig(name=name, command=sys.executable, args=args, **settings)


class LiveServer(Server[Any]):
    """A real server of both eras whose tools the test sets while it runs."""

    def __init__(self, *names: str, advertise: bool = True) -> None:
        self.tools = [Tool(name=name, input_schema={"type": "object"}) for name in names]
        self.called: list[tuple[str, Any]] = []
        self.gate = asyncio.Event()
        self.opens_at: int | None = None
        self.sessions: list[ServerSession] = []
        self._advertise = advertise
        self._bus = InMemorySubscriptionBus()
        self.subscriptions = ListenHandler(self._bus)
        super().__init__(
            "live",
            on_list_tools=self._list,
            on_call_tool=self._call,
            on_subscriptions_listen=self.subscriptions,
            get_tool_input_schema=lambda _: {"type": "object"},
        )
        self.add_notification_handler("notifications/initialized", NotificationParams, self._note)

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        options = NotificationOptions(tools_changed=self._advertise)
        return super().create_initialization_options(options, experimental_capabilities, extensions)

    async def change(self, *names: str) -> None:
        """Other tools from now on, and every client is told."""
        self.tools = [Tool(name=name, input_schema={"type": "object"}) for name in names]
        await self._bus.publish(ToolsListChanged())
        for session in self.sessions:
            await session.send_tool_list_changed()

    async def _note(self, ctx: ServerRequestContext[Any, Any], params: NotificationParams) -> None:
        self.sessions.append(ctx.session)

    async def _list(
        self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=self.tools)

    async def _call(
        self, ctx: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult:
        arguments = params.arguments or {}
        self.called.append((params.name, arguments))
        if params.name == "wait":
            if len(self.called) == self.opens_at:
                self.gate.set()
            await self.gate.wait()
        text = "x" * arguments.get("size", 0) or json.dumps(arguments, ensure_ascii=False)
        return CallToolResult(content=[TextContent(text=text)])


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def http(app: Any, port: int = 0) -> AsyncIterator[int]:
    """Serve an ASGI app on 127.0.0.1; leaving drops every open connection."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)  # who comes before the server is up waits for it
    config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=0)
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()


def at(port: int, name: str = "live", **settings: Any) -> ServerConfig:
    return ServerConfig(name=name, url=f"http://127.0.0.1:{port}/mcp", **settings)


class Heard:
    """Every list an upstream took in, and a way to wait for one."""

    def __init__(self) -> None:
        self.listings: list[Listing] = []
        self._more = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, upstream: Upstream) -> None:
        assert upstream.listing is not None
        self.listings.append(upstream.listing)
        task = asyncio.create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._more:
            self._more.notify_all()

    async def until(self, fits: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(fits)

    async def names(self, *names: str) -> None:
        """Wait until the newest list has exactly these tools."""
        await self.until(lambda: bool(self.listings) and listed(self.listings[-1]) == names)


def listed(listing: Listing | None) -> tuple[str, ...]:
    assert listing is not None
    return tuple(item.name for item in listing.tools)


def text_of(result: CallToolResult) -> str:
    content = result.content[0]
    assert isinstance(content, TextContent)
    return content.text


@asynccontextmanager
async def running(config: ServerConfig) -> AsyncIterator[tuple[Upstream, Heard]]:
    """A started upstream that has listed once."""
    async with started(config) as (upstream, heard):
        await upstream.first_listing(PATIENCE_S)
        yield upstream, heard


@asynccontextmanager
async def started(config: ServerConfig) -> AsyncIterator[tuple[Upstream, Heard]]:
    heard = Heard()
    upstream = Upstream(config, heard)
    upstream.start()
    try:
        yield upstream, heard
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await upstream.close()
