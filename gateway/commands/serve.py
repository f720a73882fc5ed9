"""`serve`: the gateway as a process of its own."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from gateway.commands.output import AsJson, print_json, print_line, reporting
from gateway.config import Config, load_config

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="A TOML file, or an mcpServers JSON file."),
]
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")]
Stdio = Annotated[
    bool, typer.Option("--stdio", help="Speak MCP over stdin and stdout, for one client.")
]
StdioToolset = Annotated[
    str | None, typer.Option("--toolset", help="With --stdio: the toolset; all without.")
]
StdioTools = Annotated[
    str,
    typer.Option("--tools", help="With --stdio: route (that tool alone), direct (without) or all."),
]


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(serve)


def serve(
    config: ConfigFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A host name that clients may use, beside loopback, HOST and the "
            "configuration's allowed_hosts; repeatable, * for any.",
        ),
    ] = None,
    stdio: Stdio = False,
    toolset: StdioToolset = None,
    tools: StdioTools = "all",
    as_json: AsJson = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    MCP clients that start a process run `pointsman serve --stdio`: it opens
    no port and asks for no keys.

    Without --config there are no servers and no adapter: `pointsman servers
    add` and `pointsman adapters add` bring them in.

    Beyond loopback the gateway needs keys, POINTSMAN_AGENT_KEYS and
    POINTSMAN_ADMIN_KEYS (each a list with commas), and on 0.0.0.0 or ::
    also the host names that clients use.
    """
    with reporting(as_json), _ending_on_signals():
        settings = load_config(config) if config else Config()
        if stdio:
            from gateway.commands.stdio import serve_over_stdio
            from gateway.faces.mcp import Address

            serve_over_stdio(settings, Address.of(toolset, tools))
            return

        def announce(url: str) -> None:
            if as_json:
                print_json({"url": url})
            else:
                print_line(f"Pointsman is up at {url} (Ctrl-C stops it)")

        # FastAPI and the MCP SDK take a second that the other verbs need not wait for.
        from gateway.commands.serving import serve_gateway

        serve_gateway(settings, host, port, allow_host or (), announce)


@contextmanager
def _ending_on_signals() -> Generator[None]:
    """Within: SIGTERM and SIGINT end the process with 0, until the event loop takes them over.

    An engine may take many seconds to import, and a supervisor need not wait for it.
    """

    def leave(_: int, __: FrameType | None) -> None:
        raise SystemExit(0)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
