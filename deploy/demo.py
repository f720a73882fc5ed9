"""The demo behind `make run`: start the gateway, route and dispatch eight requests, show them.

    python deploy/demo.py [--port 8080] [--engine auto|local|vllm] [--once]

Everything is real: the support server over stdio, the engine, the trained adapter, HTTP. The
engine is vLLM where there is a GPU and a vLLM for it, else the embedded one.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from gateway.engines.vllm_command import find_build, has_gpu, places
from gateway.errors import EngineDown

ROOT = Path(__file__).parents[1]
CONFIGS = {"local": ROOT / "deploy" / "pointsman.toml", "vllm": ROOT / "deploy" / "vllm.toml"}
BASE_MODEL = ROOT / ".models" / "smollm2-135m-instruct"
VLLM_LOG = ROOT / ".pointsman" / "vllm.log"
POINTSMAN = str(Path(sys.executable).parent / "pointsman")
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
    parser.add_argument("--engine", choices=("auto", *CONFIGS), default="auto")
    parser.add_argument("--once", action="store_true", help="stop after the table")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started, too
    engine = _chosen(options.engine)
    url = f"http://127.0.0.1:{options.port}"
    command = [POINTSMAN, "serve", "--config", str(CONFIGS[engine]), "--port", str(options.port)]
    try:
        with contextlib.ExitStack() as stack:
            environ = dict(os.environ)
            if engine == "vllm":
                environ["POINTSMAN_VLLM_URL"] = stack.enter_context(_vllm(console))
            gateway = stack.enter_context(_running(command, environ))
            client = stack.enter_context(httpx.Client(base_url=url, timeout=60))
            seconds = _wait_until_ready(client, gateway)
            console.print(f"ready after {seconds:.1f} s at {url}, engine {engine}\n")
            console.print(_table([_routed(client, request) for request in REQUESTS]))
            if options.once:
                return 0
            console.print(f"\nServing at {url} until interrupted (Ctrl-C). Try:")
            console.print(f'  .venv/bin/pointsman route "{REQUESTS[0]}" --url {url}', style="bold")
            return gateway.wait()
    except KeyboardInterrupt:
        return 0
    except (RuntimeError, httpx.HTTPError) as exc:
        console.print(f"the demo failed: {exc}", style="red")
        return 1


def _chosen(engine: str) -> str:
    if engine != "auto":
        return engine
    if not has_gpu(os.environ):
        return "local"
    try:
        build = find_build(places(None, Path(sys.executable), (ROOT,)), gpu=True)
    except EngineDown:
        return "local"
    return "vllm" if build.device == "gpu" else "local"


@contextlib.contextmanager
def _vllm(console: Console) -> Iterator[str]:
    """A vLLM server; gives its address once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    VLLM_LOG.parent.mkdir(exist_ok=True)
    command = [POINTSMAN, "engine", "start", "--json", "--base-model", str(BASE_MODEL)]
    command += ["--port", str(port), "--log-file", str(VLLM_LOG)]
    console.print(f"starting vLLM (a minute or more; its log is {VLLM_LOG.relative_to(ROOT)})")
    with _running(command, os.environ, stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        document = b""
        while not document.endswith(b"}\n"):
            line = engine.stdout.readline()
            if not line:
                raise RuntimeError(f"vLLM did not start; {VLLM_LOG.relative_to(ROOT)} says more")
            document += line
        up = json.loads(document)
        console.print(f"vLLM {up['vllm']} ({up['device']}) is ready after {up['seconds']} s")
        yield up["url"]


@contextlib.contextmanager
def _running(
    command: list[str], environ: Mapping[str, str], stdout: int | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends when this is left, with time to end what it has started itself."""
    process = subprocess.Popen(command, env=environ, stdout=stdout)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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


if __name__ == "__main__":
    raise SystemExit(main())
