"""The command `python -m mcp_servers.support`; imports what it runs only once that is known."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

DEFAULT_PORT = 8101


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    options = argparse.ArgumentParser(
        prog="python -m mcp_servers.support",
        description="An order desk as an MCP server. SIGHUP takes it to revision 2.",
    )
    options.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    options.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help=f"of http://127.0.0.1:PORT/mcp (default {DEFAULT_PORT}; 0 takes a free one)",
    )
    options.add_argument(
        "--db",
        type=Path,
        metavar="FILE",
        help="SQLite file, created and seeded if absent (default: a fresh desk in memory)",
    )
    options.add_argument("--revision", type=int, choices=(1, 2), default=1, help="of the toolset")
    options.add_argument(
        "--today",
        type=_day,
        metavar="DATE",
        help="YYYY-MM-DD, the day by which pickups are judged (default: the real one)",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; the exit code is 0, or 1 if database or port cannot be had."""
    options = parser().parse_args(arguments)
    # Imported here, so that a bad argument or --help answers at once.
    import asyncio
    import logging
    import sqlite3

    from mcp_servers.support.desk import Desk, NotADesk, open_database
    from mcp_servers.support.serve import CannotListen, serve_http, serve_stdio
    from mcp_servers.support.server import SupportServer

    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    today: date | None = options.today
    try:
        desk = Desk(open_database(options.db), (lambda: today) if today else date.today)
    except (NotADesk, sqlite3.Error) as error:
        return _fail(f"cannot open the database {options.db}: {error}")
    try:
        server = SupportServer(desk, options.revision)
        if options.transport == "http":
            asyncio.run(serve_http(server, options.port))
        else:
            asyncio.run(serve_stdio(server))
    except CannotListen as error:
        return _fail(str(error))
    finally:
        desk.close()
    return 0


def _fail(message: str) -> int:
    print(f"mcp_servers.support: {message}", file=sys.stderr)
    return 1


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date (YYYY-MM-DD)") from None


if __name__ == "__main__":
    sys.exit(main())
