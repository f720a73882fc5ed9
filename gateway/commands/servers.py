"""`servers add | list | remove | refresh`: the MCP servers behind a gateway."""

from typing import Annotated, Any

import typer

from gateway.commands.client import DEFAULT_URL, Gateway, Url, pairs, segment
from gateway.commands.output import (
    CANNOT_TELL,
    AsJson,
    CommandFailed,
    print_json,
    print_line,
    print_table,
    reporting,
)

app = typer.Typer(no_args_is_help=True, help="The MCP servers behind the gateway.")
Name = Annotated[str, typer.Argument(help="The server's name.")]


@app.command()
def add(
    name: Name,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND ARGS...]", help="A server to run, over stdio."),
    ] = None,
    server_url: Annotated[
        str | None, typer.Option(help="A server to reach, over Streamable HTTP.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Put before each of its tools' names.")] = "",
    header: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="An HTTP header; repeatable.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A variable for COMMAND; repeatable.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds a call may take.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Register a server: connect, take its tools in, keep it across restarts.

    A command runs on the gateway's machine, and only where the
    configuration sets allow_stdio_registration.
    """
    with reporting(as_json):
        if bool(command) == bool(server_url):
            raise CommandFailed("give either --server-url URL or -- COMMAND ARGS...", CANNOT_TELL)
        body: dict[str, Any] = {"name": name, "prefix": prefix}
        if command:
            body |= {"command": command[0], "args": command[1:], "env": pairs(env, "--env")}
        else:
            body |= {"url": server_url, "headers": pairs(header, "--header")}
        if (env and server_url) or (header and command):
            raise CommandFailed("--header goes with --server-url, --env with COMMAND", CANNOT_TELL)
        if timeout is not None:
            body["timeout_s"] = timeout
        _show(Gateway(url).post("/admin/servers", body), as_json)


@app.command("list")
def list_(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the servers and their state."""
    with reporting(as_json):
        answer = Gateway(url).get("/admin/servers")
        if as_json:
            print_json(answer)
            return
        print_table(
            ("server", "state", "tools", "from", "reached by", "error"),
            (
                (
                    server["name"],
                    server["state"],
                    len(server["tools"]),
                    "configuration" if server["configured"] else "registration",
                    _reached_by(server),
                    server["error"],
                )
                for server in answer["servers"]
            ),
            empty="no server; `pointsman servers add` registers one",
        )


@app.command()
def remove(name: Name, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Disconnect a registered server and forget it."""
    with reporting(as_json):
        answer = Gateway(url).delete(f"/admin/servers/{segment(name)}")
        print_json(answer) if as_json else print_line(f"removed server {name}")


@app.command()
def refresh(name: Name, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Read a server's tools again, now."""
    with reporting(as_json):
        _show(Gateway(url).post(f"/admin/servers/{segment(name)}/refresh"), as_json)


def _show(server: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(server)
        return
    tools = server["tools"]
    print_line(f"server {server['name']}: {server['state']}, {len(tools)} tools")
    if tools:
        print_line("  " + ", ".join(tools))


def _reached_by(server: dict[str, Any]) -> str:
    return server.get("url") or " ".join([server["command"], *server.get("args", ())])
