"""Run the commands of `deploy/HEAL.md` as printed, in their order, and measure before and after.

    make heal-demo [WHOLE=1]      or    python -m tests.end_to_end.heal.walk [--whole]

The gateway is the real one; the release's unseen rows are routed through it before the first step
and after the last. Prints each command with its output, a table, and as its last line one JSON
object. Exits with 1 if a command ends with another code than the page says, or if the warning is
not there before or is there after. What an earlier walk left under `.runs/heal` is removed, but
for a training with all rows.

`--whole` relabels all rows instead of a few and trains one pass over them, about half an hour on
two cores, in a folder of its own: a killed one goes on where it was. `seconds` are this walk's.
"""

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gateway.score import Grade, grade
from gateway.types import Call, Toolset
from tests.ports import free_port
from training.rows import Row, read_rows

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "deploy" / "HEAL.md"
WORK = ROOT / ".runs" / "heal"
RELEASE = ROOT / "training" / "data" / "support_r2"
RUN, WHOLE_RUN = "run", "whole-run"
PORT = "8096"
READY_S = 300.0
_KEEP = re.compile(r" \\\n +--keep [^\n]*")
_BLOCK = re.compile(r"<!-- runs(?P<how>[^>]*?) -->\n```sh\n(?P<script>.*?)```", re.DOTALL)


class WalkFailed(Exception):
    """A step did not do what the page says."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the page: its commands, the exit code it has, and whether it stays running."""

    script: str
    code: int = 0
    stays: bool = False


def whole(page: str) -> str:
    """A page's commands on all rows, with a training folder of their own.

    Raises:
        ValueError: it does not keep a few, or does not train once.
    """
    all_rows, kept = _KEEP.subn("", page)
    one_pass, trained = re.subn(r"--epochs \S+", "--epochs 1", all_rows)
    if (kept, trained) != (1, 1):
        raise ValueError(f"the page has {kept} steps with --keep and {trained} with --epochs")
    return one_pass.replace(f"{WORK.name}/{RUN} ", f"{WORK.name}/{WHOLE_RUN} ")


def blocks(page: str) -> list[Block]:
    """The marked blocks of a page. Raises ValueError for a mark that says something else."""
    found: list[Block] = []
    for match in _BLOCK.finditer(page):
        how = match["how"].strip(" ,")
        ends = re.fullmatch(r"exits (\d+)", how)
        if how not in ("", "until the end") and ends is None:
            raise ValueError(f"a block runs {how!r}: no such mark")
        code = int(ends[1]) if ends else 0
        found.append(Block(match["script"], code, stays=how == "until the end"))
    return found


def run(block: Block) -> None:
    """Run a block that ends, showing what it prints and how long it took.

    Raises:
        WalkFailed: it ended with another exit code.
    """
    begun = time.monotonic()
    print("\n".join(f"$ {line}" for line in block.script.strip().split("\n")), flush=True)
    done = subprocess.run(["bash", "-e", "-c", block.script], cwd=ROOT, check=False)
    print(f"# {time.monotonic() - begun:.0f} s", flush=True)
    if done.returncode != block.code:
        raise WalkFailed(f"exit code {done.returncode}, the page says {block.code}")


@contextlib.contextmanager
def staying(block: Block) -> Iterator[None]:
    """A block that stays running; its command is stopped at the end."""
    print(f"$ {block.script.strip()} &", flush=True)
    log = (WORK / "gateway.log").open("wb")
    with log, subprocess.Popen(["bash", "-c", f"exec {block.script}"], cwd=ROOT, stderr=log) as it:
        try:
            yield
        finally:
            it.terminate()


def until_ready(client: httpx.Client) -> None:
    """Wait until the gateway routes. Raises WalkFailed if it does not within `READY_S`."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").is_success:
                return
        time.sleep(0.2)
    raise WalkFailed(f"the gateway is not ready after {READY_S:.0f} s; see {WORK}/gateway.log")


def asked(client: httpx.Client, rows: list[Row]) -> tuple[list[Grade], str | None]:
    """Each row through the gateway: its grade, and the drift header of the last answer."""
    grades: list[Grade] = []
    header: str | None = None
    for row in rows:
        turns = [{"role": turn.role, "content": turn.content} for turn in row.messages]
        answer = client.post("/v1/route", json={"messages": turns}).raise_for_status()
        value: dict[str, Any] = answer.json()
        calls = [Call(call["tool"], call["arguments"]) for call in value["calls"]]
        grades.append(grade(row.calls, value["outcome"], calls, row.accept))
        header = answer.headers.get("X-Pointsman-Drift")
    return grades, header


def walk(port: int, page: str) -> dict[str, Any]:
    """Every step of the page, with the gateway on `port`; returns the figures.

    Raises:
        WalkFailed: a step did not do what the page says.
    """
    for left in WORK.glob("*"):
        if left.is_file():
            left.unlink()
        elif left.name != WHOLE_RUN:
            shutil.rmtree(left)
    WORK.mkdir(parents=True, exist_ok=True)
    toolset = Toolset.from_json(json.loads((RELEASE / "toolset.json").read_text()))
    rows = read_rows(RELEASE / "test", toolset)
    first, *steps = blocks(page.replace(PORT, str(port)))
    begun = time.monotonic()
    with staying(first), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
        until_ready(client)
        before, warned = asked(client, rows)
        for step in steps:
            run(step)
        after, gone = asked(client, rows)
        version = client.get("/admin/drift").raise_for_status().json()["adapters"][0]["adapter"]
    if warned is None or gone is not None:
        raise WalkFailed(f"the drift header was {warned!r} before and is {gone!r} after")
    if WHOLE_RUN in page:
        shutil.rmtree(WORK / WHOLE_RUN)
    report = json.loads((WORK / "adapter" / "report.json").read_text())
    exact = report["adapter"]["constrained"]["exact"]
    return {
        "rows": len(rows),
        "exact_before": sum(item.exact for item in before),
        "exact_after": sum(item.exact for item in after),
        "wrong_before": sum(item.wrong for item in before),
        "wrong_after": sum(item.wrong for item in after),
        "report_exact": exact["value"],
        "report_n": exact["n"],
        "header_before": warned,
        "version": version,
        "seconds": round(time.monotonic() - begun),
    }


def main() -> None:
    """Walk, print the table and the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whole", action="store_true", help="all rows instead of a few")
    options = parser.parse_args()
    page = PAGE.read_text()
    try:
        found = walk(free_port(), whole(page) if options.whole else page)
    except WalkFailed as exc:
        sys.exit(f"the walk failed: {exc}")
    print(f"\n| the release's {found['rows']} unseen rows, through the gateway | before | after |")
    print("|---|---|---|")
    print(f"| exact | {found['exact_before']} | {found['exact_after']} |")
    print(f"| wrong calls | {found['wrong_before']} | {found['wrong_after']} |")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
