"""`doctor`: looks at everything a gateway needs before it is started, and says what is missing."""

import asyncio
from typing import Annotated

import typer

from gateway.commands.output import (
    FAILED,
    AsJson,
    print_json,
    print_table,
    reporting,
)
from gateway.commands.serve import ConfigFile, Host, Port


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(doctor)


def doctor(
    config: ConfigFile = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    wait: Annotated[float, typer.Option(min=0, help="Seconds each server may take.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Check the installation, a configuration, and what it names.

    Connects to every server it declares. Exits with 1 if a check fails.
    """
    with reporting(as_json):
        # FastAPI and the MCP SDK take a second that the other verbs need not wait for.
        from gateway.commands.checks import examine

        checks = asyncio.run(examine(config, host, port, wait))
        failed = any(check.state == "fail" for check in checks)
        if as_json:
            listed = [{"check": c.name, "state": c.state, "detail": c.detail} for c in checks]
            print_json({"ok": not failed, "checks": listed})
        else:
            print_table(
                ("", "check", "finding"), ((c.state, c.name, c.detail) for c in checks), empty=""
            )
        if failed:
            raise typer.Exit(FAILED)
