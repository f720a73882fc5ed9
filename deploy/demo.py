"""The demo behind `make run`: start the gateway, route and dispatch eight requests, show them.

    python deploy/demo.py [--port 8080] [--once]

Everything is real: the support server over stdio, the embedded engine, the trained adapter, HTTP.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

CONFIG = Path(__file__).parent / "pointsman.toml"
REQUESTS = (
    "Where's my order ORD-1234?",
    "pls cancel order #1235, i ordered it twice",
    "refund 12,50 EUR on ord 1236, the mug arrived with a chip",
    "Could a courier collect the return of ORD-1236 on 9 November 2026, after lunch?",
    "How many SKU-MUG12 are left in Lyon?",
    "what's your policy on gift cards?",
    "I'd like a refund, please.",
    "Where is order 12?",
)
READY_S = 120.0


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--once", action="store_true", help="stop after the table")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    url = f"http://127.0.0.1:{options.port}"
    command = [
        str(Path(sys.executable).parent / "pointsman"),
        "serve", "--config", str(CONFIG), "--port", str(options.port),
    ]  # fmt: skip
    gateway = subprocess.Popen(command)
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            seconds = _wait_until_ready(client, gateway)
            console.print(f"ready after {seconds:.1f} s at {url}\n")
            console.print(_table([_routed(client, request) for request in REQUESTS]))
        if options.once:
            return 0
        console.print(f"\nServing at {url} until interrupted (Ctrl-C). Try:")
        console.print(f'  .venv/bin/pointsman route "{REQUESTS[0]}" --url {url}', style="bold")
        gateway.wait()
        return gateway.returncode
    except KeyboardInterrupt:
        return 0
    except (RuntimeError, httpx.HTTPError) as exc:
        console.print(f"the demo failed: {exc}", style="red")
        return 1
    finally:
        _stop(gateway)


def _wait_until_ready(client: httpx.Client, gateway: subprocess.Popen[bytes]) -> float:
    started = time.monotonic()
    while time.monotonic() - started < READY_S:
        if gateway.poll() is not None:
            raise RuntimeError(f"the gateway ended with exit code {gateway.returncode}")
        try:
            if client.get("/readyz").status_code == 200:
                return time.monotonic() - started
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the gateway was not ready within {READY_S:g} s")


def _routed(client: httpx.Client, request: str) -> tuple[str, dict[str, Any]]:
    headers = {}
    if key := os.environ.get("POINTSMAN_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    response = client.post(
        "/v1/route", json={"request": request, "dispatch": True}, headers=headers
    )
    response.raise_for_status()
    return request, response.json()


def _table(routed: list[tuple[str, dict[str, Any]]]) -> Table:
    table = Table(show_lines=True)
    for column in ("request", "outcome", "call", "result", "confidence", "ms"):
        table.add_column(column, justify="right" if column in ("confidence", "ms") else "left")
    for request, reply in routed:
        calls = "\n".join(_call(call) for call in reply["calls"] or reply["proposal"] or ())
        confidence = "" if reply["confidence"] is None else f"{reply['confidence']:.2f}"
        table.add_row(
            request, reply["outcome"], calls, _result(reply), confidence,
            f"{reply['timings_ms']['total']:.0f}",
        )  # fmt: skip
    return table


def _call(call: dict[str, Any]) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call["arguments"].items())
    return f"{call['tool']}({arguments})"


def _result(reply: dict[str, Any]) -> str:
    if not reply["results"]:
        return f"not called: {reply['reason']}"
    texts = [block.get("text", "") for result in reply["results"] for block in result["content"]]
    text = " ".join(" ".join(texts).split())
    failed = any(result.get("isError") for result in reply["results"])
    return ("tool error: " if failed else "") + (text if len(text) <= 160 else text[:159] + "…")


def _stop(gateway: subprocess.Popen[bytes]) -> None:
    if gateway.poll() is None:
        gateway.send_signal(signal.SIGINT)
        try:
            gateway.wait(10)
        except subprocess.TimeoutExpired:
            gateway.kill()
            gateway.wait()


if __name__ == "__main__":
    raise SystemExit(main())
