"""`make run` and the running demo gateway: real server, real base model, the shipped adapter."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
POINTSMAN = Path(sys.executable).parent / "pointsman"
DEADLINE_S = 90


class Gateway:
    """`pointsman serve` with the demo's configuration, and its log."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "gateway.log"
        text = (ROOT / "deploy" / "pointsman.toml").read_text()
        # The same configuration, but for the records, which must not be those of a person here.
        text = text.replace("../.pointsman/records.sqlite", str(folder / "records.sqlite"))
        text = text.replace("../.pointsman/adapters", str(folder / "adapters"))
        text = text.replace('log = "text"', 'log = "json"')
        text = text.replace('"../', f'"{ROOT}/').replace('"adapters/', f'"{ROOT}/deploy/adapters/')
        text = text.replace(f"{ROOT}/.venv/bin/python", sys.executable)
        config = folder / "pointsman.toml"
        config.write_text(text)
        command = [str(POINTSMAN), "serve", "--config", str(config), "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, stderr=self.log.open("w"), stdout=subprocess.DEVNULL
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    def wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if ready():
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def events(self, name: str) -> list[dict]:
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event.get("event") == name]

    def stop(self) -> int:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Generator[Gateway]:
    made = Gateway(tmp_path_factory.mktemp("gateway"))
    try:
        made.wait(lambda: made.client.get("/readyz").status_code == 200)
        yield made
    finally:
        assert made.stop() == 0


def pointsman(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = f"http://127.0.0.1:{gateway.port}"
    return subprocess.run(
        [str(POINTSMAN), *arguments, "--url", url], capture_output=True, text=True, timeout=60
    )


def test_a_plain_request_becomes_a_valid_call(gateway: Gateway) -> None:
    done = pointsman(gateway, "route", "Where's my order ORD-1234?", "--json")
    reply = json.loads(done.stdout)
    assert done.returncode == 0
    assert reply["outcome"] == "call"
    assert reply["call"] == {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
    assert set(reply) == {
        "id", "outcome", "calls", "call", "proposal", "reason", "reason_code", "confidence",
        "model", "checks", "results", "usage", "timings_ms",
    }  # fmt: skip


def test_an_order_number_that_nobody_gave_is_not_called(gateway: Gateway) -> None:
    done = pointsman(gateway, "route", "Where is order 12?", "--dispatch", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["outcome"] != "call"
    assert json.loads(done.stdout)["results"] is None


def test_dispatch_returns_what_the_tool_answered(gateway: Gateway) -> None:
    request = "pls cancel order #1235, i ordered it twice"
    body = {"request": request, "dispatch": True, "threshold": 0}
    reply = gateway.client.post("/v1/route", json=body).json()
    assert reply["call"]["tool"] == "cancel_order"
    assert "ORD-1235" in reply["results"][0]["content"][0]["text"]


def test_a_request_of_100_000_characters_is_refused_clearly(gateway: Gateway) -> None:
    response = gateway.client.post("/v1/route", json={"request": "where is it? " * 7_700})
    assert response.status_code == 413
    assert "tokens" in response.json()["detail"]


def test_sighup_of_the_server_gives_one_drift_warning_that_names_what_changed(
    gateway: Gateway,
) -> None:
    """Last of this gateway: its server stays at revision 2."""
    children = subprocess.check_output(["pgrep", "-P", str(gateway.process.pid)], text=True)
    os.kill(int(children.split()[0]), signal.SIGHUP)
    gateway.wait(lambda: bool(gateway.events("toolset_drift")))
    (event,) = gateway.events("toolset_drift")
    named = {item["tool"] for item in event["tools"]}
    named |= {item["renamed_to"] for item in event["tools"] if "renamed_to" in item}
    assert named == {
        "request_refund", "schedule_pickup", "check_stock", "stock_level", "exchange_item",
        "gift_wrap", "escalate",
    }  # fmt: skip
    reply = gateway.client.post(
        "/v1/route", json={"request": "How many SKU-MUG12 are left in Lyon?", "dispatch": True}
    )
    assert reply.json()["outcome"] == "abstained"
    assert reply.json()["reason_code"] == "drift"
    assert reply.headers["X-Pointsman-Drift"].startswith("removed; adapter=support; tools=")
    assert pointsman(gateway, "drift", "--json").returncode == 11


def test_the_demo_shows_eight_requests_and_stops() -> None:
    done = subprocess.run(
        [sys.executable, "deploy/demo.py", "--once", "--port", str(free_port())],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"\b(call|no_tool|abstained|invalid)\b *│", done.stdout)) == 8
