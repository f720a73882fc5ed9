"""A server registered over HTTP that comes back on the same port as a later release."""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.app import build_app, running
from gateway.config import AdapterConfig, Config
from gateway.engines.scripted import ScriptedEngine
from tests.adapters import write_adapter
from tests.ports import free_port

DRIFTED = {
    "request_refund", "schedule_pickup", "check_stock", "stock_level", "exchange_item",
    "gift_wrap", "escalate",
}  # fmt: skip


class Desk:
    """The order desk over Streamable HTTP, in a process of its own."""

    def __init__(self, port: int, revision: int) -> None:
        command = [sys.executable, "-m", "mcp_servers.support", "--transport", "http"]
        self.process = subprocess.Popen(
            [*command, "--port", str(port), "--revision", str(revision)],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert f"revision {revision} at" in line, line

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=20)


async def test_a_restart_as_a_later_release_gives_one_warning_that_names_what_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    write_adapter(tmp_path / "adapter")
    config = Config(
        adapters=(AdapterConfig(folder=tmp_path / "adapter"),), adapter_store=tmp_path / "store"
    )
    app = build_app(config, engine=ScriptedEngine())
    transport = httpx.ASGITransport(app)
    caplog.set_level(logging.WARNING)
    desk = Desk(port, 1)
    try:
        async with (
            running(app.state.parts),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            body = {"name": "support", "url": f"http://127.0.0.1:{port}/mcp", "poll_s": 2}
            registered = await client.post("/admin/servers", json=body)
            assert registered.status_code == 201, registered.text
            assert (await client.get("/readyz")).status_code == 200
            drift = (await client.get("/admin/drift")).json()["adapters"][0]
            assert (drift["listed"], drift["grade"]) == (True, "none")

            warned = asyncio.Event()
            app.state.parts.watch.on_catalog(lambda _: warned.set())
            desk.stop()
            desk = Desk(port, 2)
            await asyncio.wait_for(warned.wait(), 30)

            warnings = [r for r in caplog.records if getattr(r, "event", "") == "toolset_drift"]
            assert len(warnings) == 1
            (item,) = warnings
            named = {tool["tool"] for tool in item.tools}
            named |= {tool["renamed_to"] for tool in item.tools if "renamed_to" in tool}
            assert named == DRIFTED
            assert all(name in item.getMessage() for name in DRIFTED)
            reply = await client.post("/v1/route", json={"request": "anything"})
            assert reply.headers["X-Pointsman-Drift"].startswith("removed; adapter=support;")
    finally:
        desk.stop()
