"""Tool lists of real MCP servers, asked of the servers themselves and kept in a folder.

    python -m tests.bench.tool_lists FOLDER

Each server is installed from PyPI or npm in an environment of its own beneath the folder, started
over stdio and asked for all its tools; what is there already is not done again. One that cannot
be installed or started is left out, and said so.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.types import Toolset
from tests.adapters import support_toolset

_OLD_SDK = "mcp<2"
_PROTOCOL = "2025-06-18"
_INSTALL_S, _ANSWER_S = 900, 120


@dataclass(frozen=True)
class Server:
    """One version of a server, `name==version`, and how its program is started.

    `tuned`: its list was looked at when the thresholds were set; the others are held out. Names
    that begin with `@` are npm's, the others PyPI's; `sdk` is the MCP SDK beside one of PyPI's.
    """

    package: str
    program: str
    arguments: tuple[str, ...] = ()
    tuned: bool = False
    sdk: str = _OLD_SDK

    @property
    def name(self) -> str:
        """The package without its version."""
        return self.package.partition("==")[0]

    @property
    def on_npm(self) -> bool:
        """Whether npm has it, and not PyPI."""
        return self.package.startswith("@")

    @property
    def place(self) -> str:
        """The name of its folder and of its list."""
        return self.package.removeprefix("@").replace("/", "-")


SERVERS = (
    Server("mcp-server-git==2026.10.10", "mcp-server-git", tuned=True),
    Server("mcp-server-time==2026.10.10", "mcp-server-time", ("--local-timezone", "UTC"), True),
    Server("excel-mcp-server==2.2.2", "excel-mcp-server", ("stdio",), True, "mcp<3"),
    Server("office-word-mcp-server==1.1.11", "word_mcp_server", tuned=True),
    Server("chuk-mcp-math-server==0.3.3", "chuk-mcp-math-server", tuned=True),
    Server("office-powerpoint-mcp-server==2.0.7", "ppt_mcp_server"),
    Server("mcp-server-sqlite==2025.4.25", "mcp-server-sqlite"),
    Server("ableton-mcp==1.4.5", "ableton-mcp"),
)


def tool_lists(folder: Path) -> dict[str, Toolset]:
    """The tool list of each server that has one, and the order desk's."""
    found = {"support": support_toolset()}
    for server in SERVERS:
        listed = tool_list(server, folder)
        if listed is not None:
            found[server.name] = Toolset.from_json({"server": server.name, "tools": listed})
    return found


def tool_list(server: Server, folder: Path) -> list[dict[str, Any]] | None:
    """The tools of one server as it lists them; None, with a word on stderr, if it does not."""
    folder.mkdir(parents=True, exist_ok=True)
    if kept_list(server, folder) is None:
        try:
            listed = list(_listed(server, _program(server, folder)))
        except (OSError, ValueError, subprocess.SubprocessError) as exc:
            print(f"{server.package} is left out: {exc}", file=sys.stderr)
            return None
        (folder / f"{server.place}.json").write_text(json.dumps(listed))
    return kept_list(server, folder)


def kept_list(server: Server, folder: Path) -> list[dict[str, Any]] | None:
    """The tools of one server that were listed before; None if they were not."""
    file = folder / f"{server.place}.json"
    return json.loads(file.read_text()) if file.exists() else None


def _program(server: Server, folder: Path) -> Path:
    """Install a server in an environment of its own."""
    home = (folder / server.place).resolve()
    if server.on_npm:
        program = home / "node_modules" / ".bin" / server.program
        if not program.exists():
            name = server.package.replace("==", "@")
            npm = ["npm", "install", "--silent", "--prefix", str(home), name]
            subprocess.run(npm, check=True, timeout=_INSTALL_S)
        return program
    program = home / "bin" / server.program
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, server.package, server.sdk], check=True, timeout=_INSTALL_S)
    return program


def _listed(server: Server, program: Path) -> Iterator[dict[str, Any]]:
    """Every page of a server's tools."""
    with subprocess.Popen(
        [program, *server.arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, cwd=program.parent, text=True,
    ) as process:  # fmt: skip
        limit = threading.Timer(_ANSWER_S, process.kill)
        limit.start()
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
            limit.cancel()
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
