"""The gateway's own share of a routed request: everything but the model, measured over HTTP.

    make bench-gateway

Starts the gateway (uvicorn, validation, grounding, call record and metrics on) with the scripted
engine, whose answers cost nothing, before the real order desk, and routes requests one at a time.
Prints a table, and one JSON object as its last line.
"""

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from tests.adapters import write_adapter
from tests.ports import free_port

REQUEST = "Where's my order ORD-1234?"
ANSWER = '{"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}'
N = 1_000
CONFIG = """
[[servers]]
name = "support"
command = "{python}"
args = ["-m", "mcp_servers.support", "--today", "2026-11-02"]
[engine]
kind = "scripted"
[engine.answers]
"{request}" = '{answer}'
[[adapters]]
folder = "adapter"
[records]
path = "records.sqlite"
"""


def main() -> None:
    """Run the benchmark."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_adapter(folder / "adapter")
        config = folder / "pointsman.toml"
        config.write_text(CONFIG.format(python=sys.executable, request=REQUEST, answer=ANSWER))
        port = free_port()
        command = [str(Path(sys.executable).parent / "pointsman"), "serve"]
        gateway = subprocess.Popen(
            [*command, "--config", str(config), "--port", str(port)],
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _wait(client)
                _measured(client, dispatch=False)  # warm-up
                figures = _measured(client, dispatch=False)
                dispatched = _measured(client, dispatch=True)
        finally:
            gateway.send_signal(signal.SIGINT)
            gateway.wait(10)
    print(f"{'':24}{'p50 ms':>10}{'p95 ms':>10}")
    for name, row in (("route", figures), ("route and dispatch", dispatched)):
        print(f"{name:24}{row['p50_ms']:10.2f}{row['p95_ms']:10.2f}")
    print(json.dumps({"requests": N, "route": figures, "route_and_dispatch": dispatched}))


def _wait(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the gateway did not become ready")


def _measured(client: httpx.Client, *, dispatch: bool) -> dict[str, float]:
    times: list[float] = []
    for _ in range(N):
        started = time.perf_counter()
        reply = client.post("/v1/route", json={"request": REQUEST, "dispatch": dispatch})
        times.append((time.perf_counter() - started) * 1000)
        assert reply.json()["outcome"] == "call", reply.text
    times.sort()
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p95_ms": round(times[int(0.95 * N)], 2),
    }


if __name__ == "__main__":
    main()
