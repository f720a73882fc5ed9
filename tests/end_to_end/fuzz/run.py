"""Fuzzes a gateway by its own OpenAPI description.

    python -m tests.end_to_end.fuzz.run SCHEMATHESIS [--cases N] [--examples N] [--seed N]

SCHEMATHESIS is the command. Gateway and upstreams are processes, and work in `.runs/fuzz` alone.
The last line is one JSON object. Exit status 1: a server error, an answer that the description does
not declare, too few cases, or a gateway that is not well afterwards.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.bench.stand import ROOT
from tests.end_to_end.fuzz.report import Report, read_report
from tests.end_to_end.fuzz.stand import Stand, stand

FOLDER = ROOT / ".runs" / "fuzz"
HERE = Path(__file__).parent
RUN_LIMIT_S = 1_800
# No operation is left out: none ends the gateway, and a command to register is refused by its
# configuration, whatever it is.


def main() -> None:
    """Run, tell, and exit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("schemathesis", type=Path, metavar="SCHEMATHESIS")
    parser.add_argument("--cases", type=int, default=5_000, help="the least that must run")
    parser.add_argument("--examples", type=int, default=130, help="random cases per operation")
    parser.add_argument("--seed", type=int, default=20_261_127)
    options = parser.parse_args()
    if not options.schemathesis.exists():
        parser.error(f"there is no {options.schemathesis}")
    started = time.monotonic()
    report, complaints = asyncio.run(_run(options.schemathesis, options.examples, options.seed))
    complaints += report.complaints(options.cases)
    for kind, example in report.faults.items():
        print(f"{kind}\n    {example}")
    for line in [*report.table(), f"seed {options.seed}", *complaints]:
        print(line)
    figures = {
        "operations": len(report.operations), "cases": report.cases,
        "server_errors": report.server_errors, "undeclared": report.undeclared,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    print(json.dumps(figures))
    sys.exit(1 if complaints else 0)


async def _run(schemathesis: Path, examples: int, seed: int) -> tuple[Report, list[str]]:
    async with stand(FOLDER) as made, httpx.AsyncClient(base_url=made.gateway) as client:
        description = (await client.get("/openapi.json")).json()
        events = FOLDER / "events.ndjson"
        await asyncio.to_thread(_fuzz, schemathesis, made, events, examples, seed)
        servers = (await client.get("/admin/servers")).json()["servers"]
    with events.open() as lines:
        report = read_report(lines, _operations(description))
    down = [s["name"] for s in servers if s["configured"] and s["state"] != "ready"]
    complaints = [f"server {name} is not ready afterwards" for name in down]
    if "Traceback" in made.log.read_text():
        complaints.append(f"the gateway logged what nobody foresaw: {made.log}")
    return report, complaints


def _operations(description: dict[str, Any]) -> set[str]:
    paths = description["paths"].items()
    return {f"{method.upper()} {path}" for path, methods in paths for method in methods}


def _fuzz(schemathesis: Path, made: Stand, events: Path, examples: int, seed: int) -> None:
    """Run schemathesis; what it finds is read from its events, so its exit status is not."""
    command = [
        schemathesis.absolute(), "--config-file", HERE / "schemathesis.toml",
        "run", f"{made.gateway}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful",
        "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure",
        "--generation-database", "none", "--suppress-health-check", "all", "--no-color",
        "--request-timeout", "60", "--report", "ndjson", "--report-ndjson-path", events,
    ]  # fmt: skip
    env = {
        **os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE),
        "FUZZ_GATEWAY": made.gateway, "FUZZ_UPSTREAM": made.upstream,
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=FOLDER, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=RUN_LIMIT_S, check=False,
    )  # fmt: skip
    (FOLDER / "schemathesis.log").write_text(done.stdout)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout[-4_000:])
    print("\n".join(done.stdout.partition("=== SUMMARY ===")[2].splitlines()[1:]))


if __name__ == "__main__":
    main()
