"""Throughput and latency of the gateway before vLLM on a GPU, at rising numbers of clients.

    make bench-gpu    or    python -m tests.bench.gpu [--base-model DIR] [--adapter DIR] [FLAGS...]

Further FLAGS are for `pointsman engine start`; after `--` they are vLLM's own. Without a GPU it
says so and ends with 0. Prints a table, row by row, and one JSON object as its last line.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.engines.vllm_command import has_gpu
from tests.bench.load import Load, percentile
from tests.bench.overhead import added_ms
from tests.bench.swap_adapters import request
from tests.end_to_end.on_vllm.stack import BASE_MODEL, SUPPORT, engine, gateway, vllm_config

CLIENTS = (1, 8, 32, 128)
ROOM = f"\n[limits]\nengine_queue = {max(CLIENTS)}"
"""None of the clients is refused because the others wait."""
REPLIES = 400
"""Replies of one measurement at least; as many again, at most, come before it to warm up."""
EACH = 16
"""Replies for each of its clients at least."""


async def measured(url: str, clients: int) -> dict[str, float]:
    """Replies per second and latencies in milliseconds for so many clients."""

    def body(number: int) -> dict[str, Any]:
        return {"request": request(number)}

    async with Load(url, body, clients) as load:
        await load.replies(min(REPLIES, 4 * clients))
        warm, started = len(load.samples), time.monotonic()
        await load.replies(max(REPLIES, EACH * clients))
        samples, seconds = load.samples[warm:], time.monotonic() - started
    times = [1000 * sample.seconds for sample in samples]
    return {
        "clients": clients,
        "per_second": round(len(samples) / seconds, 1),
        "p50_ms": round(percentile(times, 0.5), 1),
        "p95_ms": round(percentile(times, 0.95), 1),
        "failed": sum(sample.status != 200 for sample in samples),
    }


def run(base_model: Path, adapter: Path, flags: Sequence[str]) -> dict[str, Any]:
    """Start everything, measure, stop everything."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        engine(Path(scratch), *flags, base_model=base_model) as server,
        gateway(Path(scratch), vllm_config(server.url, base_model) + ROOM, (adapter,)) as front,
    ):
        print(f"{'clients':>8}{'replies/s':>12}{'p50 ms':>10}{'p95 ms':>10}{'failed':>8}")
        rows = [_printed(asyncio.run(measured(front.url, clients))) for clients in CLIENTS]
        version = front.client.get("/admin/adapters").json()["adapters"][0]["version"]
        return {"rows": rows} | added_ms(front.url, server.url, version, adapter, base_model)


def _printed(row: dict[str, float]) -> dict[str, float]:
    print(
        f"{row['clients']:>8}{row['per_second']:>12}{row['p50_ms']:>10}{row['p95_ms']:>10}"
        f"{row['failed']:>8}",
        flush=True,  # what was measured stands there even if what comes after it fails
    )
    return row


def main() -> None:
    """Run the benchmark where there is a GPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-model", type=Path, default=BASE_MODEL)
    parser.add_argument("--adapter", type=Path, default=SUPPORT)
    options, flags = parser.parse_known_args()
    if not has_gpu(os.environ):
        print("no GPU is here: nothing was measured")
        print(json.dumps({"gpu": False}))
        return
    found = run(options.base_model, options.adapter, flags)
    print(f"vLLM asked directly: p50 {found['direct_p50_ms']} ms, {found['added_ms']} ms added")
    print(json.dumps({"gpu": True} | found))


if __name__ == "__main__":
    main()
