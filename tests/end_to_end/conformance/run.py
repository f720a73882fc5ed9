"""The public MCP conformance suites against an upstream, and against the gateway before it.

    python -m tests.end_to_end.conformance.run NODE MODULES

NODE is the binary of Node 22, MODULES the `node_modules` with both releases of the suite. The
upstream and the gateway are processes, the gateway started with the product's own command. The last
line is one JSON object. Exit status 1: a failure that is not expected, or an expected one that is
none.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Set
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from tests.bench.stand import process, until_open
from tests.end_to_end.conformance import report
from tests.end_to_end.conformance.outcome import Outcome, read_outcome
from tests.ports import free_port

EXPECTED = Path(__file__).with_name("expected_failures.json")
SUITE_LIMIT_S, START_LIMIT_S = 120, 60
CONFIG = """
[[servers]]
name = "everything"
url = "http://127.0.0.1:{port}/mcp"
[records]
path = "records.sqlite"
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """One way to run one release of the suite. `revision` is that of its requirements, if any."""

    package: str
    revision: str | None = None

    @property
    def options(self) -> tuple[str, str]:
        """The suite's own options."""
        return ("--requirements", self.revision) if self.revision else ("--suite", "all")

    def unscored(self, modules: Path) -> Set[str]:
        """The scenarios that it runs and does not count."""
        if self.revision is None:
            return frozenset()
        text = (modules / self.package / "requirements" / f"{self.revision}.yaml").read_text()
        listed = yaml.safe_load(text)["not_scored"]
        return frozenset(item["scenario"] for item in listed if item["leg"] == "server")


SUITES = {
    "0.1.16 all": Suite("conformance-0.1"),
    "2025-11-25": Suite("conformance-0.2", "2025-11-25"),
    "2026-07-28": Suite("conformance-0.2", "2026-07-28"),
}


def main() -> None:
    """Run all, tell, and exit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("node", type=Path, metavar="NODE")
    parser.add_argument("modules", type=Path, metavar="MODULES")
    options = parser.parse_args()
    for path in (options.node, options.modules):
        if not path.exists():
            parser.error(f"there is no {path}")
    expected = json.loads(EXPECTED.read_text())
    with tempfile.TemporaryDirectory() as folder:
        outcomes = asyncio.run(_run_all(options.node, options.modules, Path(folder)))
    found = report.complaints(outcomes, expected)
    for line in [*report.failures(outcomes, expected), "", *report.table(outcomes), "", *found]:
        print(line)
    print(json.dumps(report.as_json(outcomes)))
    sys.exit(1 if found else 0)


async def _run_all(node: Path, modules: Path, folder: Path) -> report.Outcomes:
    outcomes: dict[str, dict[str, Outcome]] = {name: {} for name in SUITES}
    async with _stand(folder) as addresses:
        for target, url in addresses.items():
            for name, suite in SUITES.items():
                print(f"{name} against the {target}", flush=True)
                results = folder / f"{name} {target}"
                said = await asyncio.to_thread(_run_suite, node, modules, suite, url, results)
                outcomes[name][target] = read_outcome(results, said, suite.unscored(modules))
    return outcomes


def _run_suite(node: Path, modules: Path, suite: Suite, url: str, results: Path) -> str:
    """What the suite said; its exit status tells of failures, which are read from its results."""
    script = modules / suite.package / "dist" / "index.js"
    done = subprocess.run(
        [node, script, "server", "--url", url, *suite.options, "-o", results],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SUITE_LIMIT_S,
        check=False,
    )  # fmt: skip
    results.mkdir(exist_ok=True)
    return done.stdout


@asynccontextmanager
async def _stand(folder: Path) -> AsyncGenerator[Mapping[str, str]]:
    """The upstream and the gateway, up; target -> URL."""
    upstream, gateway = free_port(), free_port()
    config = folder / "pointsman.toml"
    config.write_text(CONFIG.format(port=upstream))
    pointsman = str(Path(sys.executable).parent / "pointsman")
    with ExitStack() as stack:
        everything = "tests.end_to_end.conformance.everything"
        stack.enter_context(process(sys.executable, "-m", everything, str(upstream)))
        await _until_up(upstream)
        stack.enter_context(
            process(pointsman, "serve", "--config", str(config), "--port", str(gateway))
        )
        await _until_up(gateway)
        await _until_listed(gateway)
        yield {
            "upstream": f"http://127.0.0.1:{upstream}/mcp",
            "gateway": f"http://127.0.0.1:{gateway}/mcp",
        }


async def _until_up(port: int) -> None:
    """Wait for a process. Raises TimeoutError."""
    async with asyncio.timeout(START_LIMIT_S):
        await until_open(port)


async def _until_listed(port: int) -> None:
    """The gateway lists its servers while it starts. Raises TimeoutError."""
    async with asyncio.timeout(START_LIMIT_S), httpx.AsyncClient() as client:
        while not (await client.get(f"http://127.0.0.1:{port}/v1/tools")).json()["tools"]:
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
