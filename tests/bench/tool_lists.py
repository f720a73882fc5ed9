"""Tool lists of real MCP servers, asked of the servers themselves and kept in a folder.

    python -m tests.bench.tool_lists FOLDER

Each server is installed in an environment of its own beneath the folder, started over stdio and
asked for all its tools; what is there already is not done again. One that cannot be installed or
started is left out, and said so.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.types import Toolset
from tests.adapters import support_toolset

_OLD_SDK = "mcp<2"
_PROTOCOL = "2025-06-18"


@dataclass(frozen=True)
class Server:
    """A server as its package index knows it, and how its program is started.

    `tuned`: its list was looked at when the thresholds were set; the others are held out.
    """

    package: str
    program: str
    arguments: tuple[str, ...] = ()
    tuned: bool = False

    @property
    def name(self) -> str:
        """The package without its version."""
        return self.package.partition("==")[0]


SERVERS = (
    Server("mcp-server-git==2026.10.10", "mcp-server-git", tuned=True),
    Server("mcp-server-time==2026.10.10", "mcp-server-time", ("--local-timezone", "UTC"), True),
    Server("excel-mcp-server==2.2.2", "excel-mcp-server", ("stdio",), True),
    Server("office-word-mcp-server==1.1.11", "word_mcp_server", tuned=True),
    Server("chuk-mcp-math-server==0.3.3", "chuk-mcp-math-server", tuned=True),
    Server("office-powerpoint-mcp-server==2.0.7", "ppt_mcp_server"),
    Server("mcp-server-sqlite==2025.4.25", "mcp-server-sqlite"),
    Server("ableton-mcp==1.4.5", "ableton-mcp"),
)


def tool_lists(folder: Path) -> dict[str, Toolset]:
    """The tool list of each server that has one, and the order desk's."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {"support": support_toolset()}
    for server in SERVERS:
        file = folder / f"{server.name}.json"
        if not file.exists():
            try:
                listed = list(_listed(server, _program(server, folder)))
            except (OSError, ValueError, subprocess.SubprocessError) as exc:
                print(f"{server.name} is left out: {exc}", file=sys.stderr)
                continue
            file.write_text(json.dumps({"server": server.name, "tools": listed}))
        found[server.name] = Toolset.from_json(json.loads(file.read_text()))
    return found


def _program(server: Server, folder: Path) -> Path:
    """Install a server in an environment of its own."""
    home = folder / server.name
    program = home / "bin" / server.program
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, server.package, _OLD_SDK], check=True, timeout=900)
    return program


def _listed(server: Server, program: Path) -> Iterator[dict[str, Any]]:
    """Every page of a server's tools."""
    with subprocess.Popen(
        [program, *server.arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=program.parent, text=True,
    ) as process:  # fmt: skip
        try:
            client = {"name": "bench", "version": "1"}
            _ask(process, 1, "initialize", protocolVersion=_PROTOCOL, capabilities={},
                 clientInfo=client)  # fmt: skip
            _send(process, {"method": "notifications/initialized"})
            number, cursor = 2, None
            while number == 2 or cursor:
                page = _ask(process, number, "tools/list", **({"cursor": cursor} if cursor else {}))
                yield from page["tools"]
                number, cursor = number + 1, page.get("nextCursor")
        finally:
            process.kill()


def _ask(process: subprocess.Popen[str], number: int, method: str, **params: Any) -> dict[str, Any]:
    _send(process, {"id": number, "method": method, "params": params})
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{") and (answer := json.loads(line)).get("id") == number:
            if "result" not in answer:
                raise ValueError(f"{method} was refused: {answer.get('error')}")
            return answer["result"]
    raise ValueError(f"the server ended before it answered {method}")


def _send(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    process.stdin.flush()


if __name__ == "__main__":
    for name, toolset in tool_lists(Path(sys.argv[1])).items():
        print(f"{name}: {len(toolset.tools)} tools")
