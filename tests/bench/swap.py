"""Thirty swaps back and forth under load, on a real vLLM server.

    make bench-swap        or    python -m tests.bench.swap [--swaps 30] [--clients 8]

Starts vLLM and the gateway with the product's own commands. Clients route without a pause while
versions of one adapter take turns, two swaps by activation and one by rollback. The versions answer
the same requests with different tools (`swap_adapters.py`), so that each answer shows who wrote it.
Then, without load, the gateway is compared with vLLM asked directly for the same tokens. Prints a
table, and one JSON object as its last line.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench.load import Load, Sample, percentile
from tests.bench.overhead import added_ms
from tests.bench.swap_adapters import Version, request, versions
from tests.end_to_end.on_vllm.stack import BASE_MODEL, engine, gateway, vllm_config

REPLIES_BETWEEN = 24
"""Replies to wait for between two swaps: with eight clients, three of each."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """One swap: what it put into service, how, and when it was asked for and done (seconds)."""

    version: str
    kind: str
    began: float
    done: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.done - self.began


class Turns:
    """Which version comes next: the sides take turns, each going through its own versions."""

    def __init__(self, names: dict[str, Version]) -> None:
        """`names` are the versions as the gateway calls them."""
        self._sides: dict[str, list[str]] = {}
        for name, version in names.items():
            self._sides.setdefault(version.tool, []).append(name)

    def next(self, tool: str) -> str:
        """The next version of the other side than the one that calls `tool`."""
        side = next(names for other, names in self._sides.items() if other != tool)
        side.append(side.pop(0))
        return side[-1]


async def swapping(
    url: str, names: dict[str, Version], first: str, swaps: int, clients: int
) -> tuple[list[Sample], list[Swapped]]:
    """Swap under load. Returns every reply and every swap; `first` stands before them as one."""
    turns, current, before = Turns(names), first, ""
    done = [Swapped(first, "start", 0.0, 0.0)]

    def body(number: int) -> dict[str, Any]:
        return {"request": request(number), "model": "swap", "threshold": 0}

    async with (
        httpx.AsyncClient(base_url=url, timeout=None, trust_env=False) as admin,
        Load(url, body, clients) as load,
    ):
        for number in range(swaps):
            await load.replies(REPLIES_BETWEEN)
            back = number % 3 == 2
            chosen = before if back else turns.next(names[current].tool)
            what = "swap/rollback" if back else f"{chosen}/activate"
            began = time.monotonic()
            answer = await admin.post(f"/admin/adapters/{what}")
            done.append(Swapped(chosen, what.partition("/")[2], began, time.monotonic()))
            if answer.status_code != 200 or answer.json()["version"] != chosen:
                raise SystemExit(f"swap {number + 1}, {what}: {answer.text}")
            current, before = chosen, current
        await load.replies(REPLIES_BETWEEN)
    return load.samples, done


def misrouted(sample: Sample, names: dict[str, Version], swaps: Sequence[Swapped]) -> bool:
    """Whether a reply was written by another version than it names, or by one out of service."""
    if sample.version not in names or names[sample.version].tool != sample.tool:
        return True
    ends = [*(swap.done for swap in swaps[1:]), float("inf")]
    return not any(
        swap.version == sample.version and swap.began <= sample.ended and sample.started <= end
        for swap, end in zip(swaps, ends, strict=True)
    )


def figures(
    samples: Sequence[Sample], swaps: Sequence[Swapped], names: dict[str, Version]
) -> dict[str, Any]:
    """What the run came to; times in seconds."""
    good = [sample for sample in samples if sample.status == 200]
    made = swaps[1:]

    def meets(sample: Sample) -> bool:
        return any(s.began <= sample.ended and sample.started <= s.done for s in made)

    during = percentile([s.seconds for s in good if meets(s)], 0.95)
    between = percentile([s.seconds for s in good if not meets(s)], 0.95)

    def slowest(kind: str, *, probed: bool) -> float:
        taken = [
            s.seconds
            for s in made
            if s.kind == kind and (kind == "rollback" or names[s.version].probed == probed)
        ]
        return round(max(taken, default=float("nan")), 3)  # fmt: skip

    return {
        "swaps": len(made),
        "requests": len(samples),
        "failed": len(samples) - len(good),
        "misrouted": sum(misrouted(sample, names, swaps) for sample in good),
        "p95_ratio": round(during / between, 3),
        "activate_s": slowest("activate", probed=False),
        "rollback_s": slowest("rollback", probed=False),
        "p95_during_s": round(during, 3),
        "p95_between_s": round(between, 3),
        "activate_with_probe_s": slowest("activate", probed=True),
    }


def run(base_model: Path, swaps: int, clients: int, flags: Sequence[str]) -> dict[str, Any]:
    """Start everything, swap, compare, and stop everything."""
    made = versions(base_model)
    with (
        tempfile.TemporaryDirectory() as scratch,
        engine(Path(scratch), "--max-rank", "8", *flags, base_model=base_model) as server,
        gateway(Path(scratch), vllm_config(server.url, base_model), ()) as front,
    ):
        names = {front.add(version.folder): version for version in made}
        first = next(iter(names))
        answer = front.activate(first)
        if answer.status_code != 200:
            raise SystemExit(answer.text)
        samples, done = asyncio.run(swapping(front.url, names, first, swaps, clients))
        for sample in [s for s in samples if s.status != 200][:5]:
            print(f"failed: {sample.status} {sample.text[:200]}")
        current = done[-1].version
        added = added_ms(front.url, server.url, current, names[current].folder, base_model)
        return figures(samples, done, names) | added


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-model", type=Path, default=BASE_MODEL)
    parser.add_argument("--swaps", type=int, default=30)
    parser.add_argument("--clients", type=int, default=8)
    options, flags = parser.parse_known_args()
    found = run(options.base_model, options.swaps, options.clients, flags)
    rows = (
        ("swaps", "swaps", ""),
        ("requests", "requests", ""),
        ("failed requests", "failed", ""),
        ("answers by another version", "misrouted", ""),
        ("p95 between swaps", "p95_between_s", "s"),
        ("p95 during swaps", "p95_during_s", "s"),
        ("ratio of the two", "p95_ratio", ""),
        ("slowest activation, no probes", "activate_s", "s"),
        ("slowest activation, one probe", "activate_with_probe_s", "s"),
        ("slowest rollback", "rollback_s", "s"),
        ("p50 of vLLM asked directly", "direct_p50_ms", "ms"),
        ("p50 added by the gateway", "added_ms", "ms"),
    )
    for label, name, unit in rows:
        print(f"{label:32}{found[name]:>10} {unit}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
