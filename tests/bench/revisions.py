"""Two published versions each of real MCP servers, and what changed between their tool lists.

    python -m tests.bench.revisions FOLDER

The lists lie in `data/revisions/` as the servers gave them, and beside them, in `expected.json`,
the changes that a person found by comparing the raw lists. With FOLDER (`.runs/tool-lists`) the
servers themselves are asked, and what drift finds is printed for a person to check.

A change is told as tool, JSON Pointer and grade; a tool that is new or gone has no pointer.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from gateway.drift import Drift, compare
from gateway.types import Toolset
from tests.bench.tool_lists import Server, kept_list, tool_list

DATA = Path(__file__).parent / "data" / "revisions"
_NPM = "@modelcontextprotocol/server-"

Told = tuple[str, str, str]
"""One change: tool, JSON Pointer, grade."""


@dataclass(frozen=True)
class Pair:
    """Two versions of one server."""

    before: Server
    after: Server

    @property
    def name(self) -> str:
        """Both versions in words, the key in `expected.json`."""
        return f"{self.before.package} -> {self.after.package.rpartition('==')[2]}"


@dataclass(frozen=True)
class Compared:
    """What drift made of a pair, against what a person found."""

    pair: Pair
    found: frozenset[Told]
    expected: frozenset[Told]

    @property
    def missed(self) -> frozenset[Told]:
        """Changes that drift does not report, or grades otherwise."""
        return self.expected - self.found

    @property
    def invented(self) -> frozenset[Told]:
        """Changes reported that are none, or are graded otherwise."""
        return self.found - self.expected


def _pair(package: str, versions: tuple[str, str], program: str, *arguments: str) -> Pair:
    old, new = (Server(f"{package}=={version}", program, arguments) for version in versions)
    return Pair(old, new)


PAIRS = (
    _pair(f"{_NPM}filesystem", ("2025.3.28", "2025.8.21"), "mcp-server-filesystem", "."),
    _pair(f"{_NPM}memory", ("2025.4.25", "2026.8.31"), "mcp-server-memory"),
    _pair(f"{_NPM}everything", ("2025.4.28", "2025.9.25"), "mcp-server-everything"),
    _pair(f"{_NPM}sequential-thinking", ("0.6.2", "2025.7.1"), "mcp-server-sequential-thinking"),
    _pair("mcp-server-git", ("2025.1.14", "2026.10.10"), "mcp-server-git"),
    _pair("mcp-server-time", ("0.6.2", "2026.10.10"), "mcp-server-time",
          "--local-timezone", "UTC"),
    _pair("mcp-server-fetch", ("2025.1.17", "2026.10.10"), "mcp-server-fetch"),
    _pair("mcp-server-sqlite", ("2025.1.14", "2025.4.25"), "mcp-server-sqlite"),
)  # fmt: skip


def told(drift: Drift) -> frozenset[Told]:
    """Every change of a drift, in the words of `expected.json`."""
    found: set[Told] = set()
    for tool in drift.tools:
        found |= {(tool.tool, change.pointer, change.grade) for change in tool.changes}
        if not tool.changes:
            found.add((tool.tool, "", tool.grade))
    return frozenset(found)


def compared(live: Path | None = None) -> list[Compared]:
    """Every pair whose lists are there: the kept ones, or those of the servers in `live`."""
    expected = json.loads((DATA / "expected.json").read_text())
    found: list[Compared] = []
    for pair in PAIRS:
        lists = [_toolset(server, live) for server in (pair.before, pair.after)]
        if lists[0] is None or lists[1] is None:
            continue
        drift = compare(lists[0], lists[1].by_name)
        changes = frozenset((tool, where, grade) for tool, where, grade in expected[pair.name])
        found.append(Compared(pair, told(drift), changes))
    return found


def _toolset(server: Server, live: Path | None) -> Toolset | None:
    listed = kept_list(server, DATA) if live is None else tool_list(server, live)
    name = server.name.rpartition("/")[2]
    return Toolset.from_json({"name": name, "tools": listed}) if listed else None


def kept() -> dict[str, Toolset]:
    """The newest kept list of each server that has several tools."""
    found = {pair.after.name: _toolset(pair.after, None) for pair in PAIRS}
    return {name: item for name, item in found.items() if item and len(item.tools) > 1}


def main() -> None:
    """Print what is missed and what is invented, pair by pair."""
    for item in compared(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        print(f"{item.pair.name}: {len(item.found)} changes")
        for what, changes in (("missed", item.missed), ("invented", item.invented)):
            for change in sorted(changes):
                print(f"  {what}: {json.dumps(change)}")


if __name__ == "__main__":
    main()
