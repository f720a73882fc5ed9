"""The composition root: keys, engines, and what comes back after a restart."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.app import build_app, running
from gateway.config import AdapterConfig, AuthConfig, Config, EngineConfig
from gateway.engines.base import Prompt, Proof
from gateway.engines.configured import make_engine
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, ConfigurationError, Forbidden, Unauthenticated
from gateway.faces.keys import read_keys
from tests.adapters import write_adapter
from tests.gateway.serving import TRACK, desk, served, settings
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, Script


def test_keys_come_from_configuration_environment_and_file_together(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# the desk\n\nagent file-agent\nadmin  file-admin  \n", encoding="utf-8")
    auth = AuthConfig(agent_keys=("set-agent",), admin_keys=("set-admin",), keys_file=file)  # type: ignore[arg-type]
    environ = {"POINTSMAN_AGENT_KEYS": "env-1, env-2,,", "POINTSMAN_ADMIN_KEYS": "env-admin"}
    keys = read_keys(auth, environ)
    assert keys.agent == ("set-agent", "env-1", "env-2", "file-agent")
    assert keys.admin == ("set-admin", "env-admin", "file-admin")


def test_without_keys_everyone_is_let_in() -> None:
    keys = read_keys(AuthConfig(), {"POINTSMAN_AGENT_KEYS": " , "})
    assert not keys
    keys.require("admin", None)


def test_an_admin_key_alone_shuts_agents_out() -> None:
    keys = read_keys(AuthConfig(), {"POINTSMAN_ADMIN_KEYS": "a"})
    with pytest.raises(Unauthenticated):
        keys.require("agent", "Bearer b")
    keys.require("agent", "Bearer a")


def test_an_agent_key_alone_leaves_nobody_to_administer() -> None:
    keys = read_keys(AuthConfig(), {"POINTSMAN_AGENT_KEYS": "a"})
    with pytest.raises(Forbidden):
        keys.require("admin", "Bearer a")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"agent good\nroot hush-4711\n", ":2: a line is"),
        (b"agent\n", ":1: a line is"),
        (b"hush-4711\n", ":1: a line is"),
        (b"agent \xff\xfe\n", "not UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_keys_file_that_cannot_be_read_is_an_error_without_the_key(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_keys(AuthConfig(keys_file=file), {})
    assert str(file) in str(caught.value)
    assert "hush-4711" not in str(caught.value)


async def test_a_scripted_engine_answers_from_the_configuration() -> None:
    engine = make_engine(EngineConfig(kind="scripted", answers={"hi": '{"tool": "x"}'}), 1)
    prompt = Prompt(({"role": "user", "content": "hi"},), None, None, 100, 100)
    assert (await engine.complete(prompt)).text == '{"tool": "x"}'


def test_a_local_engine_without_a_model_is_a_configuration_error(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    config = EngineConfig(kind="local", base_model=tmp_path)
    with pytest.raises(ConfigurationError, match=f"{tmp_path} holds no model"):
        make_engine(config, 1)


async def test_the_lifespan_of_the_app_starts_and_stops_the_gateway(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    app = build_app(settings(tmp_path, script.config(), adapter=False))
    async with app.router.lifespan_context(app):
        await app.state.parts.watch.upstream("script").first_listing(PATIENCE_S)
    assert [u.state for u in app.state.parts.watch.upstreams] != []
    await app.state.parts.records.close()


def kept(tmp_path: Path, *, adapter: bool = False, **more: Any) -> Config:
    """A configuration whose records outlive a run."""
    records = {"path": str(tmp_path / "records.db")}
    values = {"records": records, "allow_stdio_registration": True, "toolsets": (), **more}
    return settings(tmp_path, adapter=adapter, **values)


def registration(script: Script) -> dict[str, Any]:
    args = [str(script.folder / "server.py"), str(script.folder)]
    env = {"TOKEN": "hush-4711"}
    return {"name": "support", "command": sys.executable, "args": args, "env": env}


async def test_servers_adapters_and_calls_come_back_after_a_restart(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    config = kept(tmp_path)
    async with served(config) as gateway:
        await gateway.post("/admin/servers", registration(script))
        for rank in (16, 32):
            folder = str(write_adapter(tmp_path / f"r{rank}", rank=rank))
            version = (await gateway.post("/admin/adapters", {"folder": folder})).json()["version"]
            await gateway.post(f"/admin/adapters/{version}/activate", {})
        first = (await gateway.route()).json()
    async with served(config) as gateway:
        (server,) = (await gateway.client.get("/admin/servers")).json()["servers"]
        assert (server["state"], server["configured"]) == ("ready", False)
        environment = gateway.parts.watch.upstream("support").config.env
        assert environment["TOKEN"].get_secret_value() == "hush-4711"
        second = (await gateway.route()).json()
        assert (second["call"], second["model"]) == (TRACK, first["model"])
        calls = (await gateway.client.get("/admin/calls")).json()["calls"]
        assert [call["id"] for call in calls] == [second["id"], first["id"]]
    async with served(config) as gateway:
        back = (await gateway.post("/admin/adapters/support/rollback", {})).json()
        assert (await gateway.route()).json()["model"] == back["version"] != first["model"]
    async with served(config) as gateway:
        assert (await gateway.route()).json()["model"] == back["version"]


async def test_a_removed_server_stays_away_after_a_restart(tmp_path: Path) -> None:
    script = desk(tmp_path / "desk")
    async with served(kept(tmp_path)) as gateway:
        await gateway.post("/admin/servers", registration(script))
        await gateway.client.delete("/admin/servers/support")
    async with served(kept(tmp_path)) as gateway:
        assert gateway.parts.watch.upstreams == ()


async def test_the_order_of_adapters_survives_a_restart(tmp_path: Path) -> None:
    async with served(kept(tmp_path)) as gateway:
        for name, rank in (("first", 16), ("second", 16), ("first", 32)):
            folder = str(write_adapter(tmp_path / f"{name}{rank}", name=name, rank=rank))
            version = (await gateway.post("/admin/adapters", {"folder": folder})).json()["version"]
            await gateway.post(f"/admin/adapters/{version}/activate", {})
        before = [active.adapter.version for active in gateway.parts.active.all]
    async with served(kept(tmp_path)) as gateway:
        assert [active.adapter.version for active in gateway.parts.active.all] == before
        assert gateway.parts.active.resolve("auto").adapter.name == "first"


async def test_a_configured_adapter_serves_until_another_version_was_activated(
    tmp_path: Path,
) -> None:
    config = kept(tmp_path, adapter=True)
    async with served(config) as gateway:
        (configured,) = gateway.parts.active.all
        folder = str(write_adapter(tmp_path / "new", rank=32))
        version = (await gateway.post("/admin/adapters", {"folder": folder})).json()["version"]
        await gateway.post(f"/admin/adapters/{version}/activate", {})
    async with served(config) as gateway:
        (active,) = gateway.parts.active.all
        assert active.adapter.version == version
        back = await gateway.post("/admin/adapters/support/rollback", {})
        assert back.json()["version"] == configured.adapter.version


async def test_a_stored_adapter_that_was_changed_is_left_out_and_the_gateway_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(kept(tmp_path)) as gateway:
        folder = str(write_adapter(tmp_path / "made"))
        await gateway.post("/admin/adapters", {"folder": folder})
        await gateway.post("/admin/adapters/support/activate", {})
        (stored,) = gateway.parts.store.adapters.values()
    (stored.folder / "report.json").write_text('{"changed": true}')
    async with served(kept(tmp_path)) as gateway:
        assert gateway.parts.active.all == ()
        assert (await gateway.client.get("/healthz")).status_code == 200
    texts = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert any("the folder was changed" in text for text in texts)


class Picky(ScriptedEngine):
    """An engine that loads nothing."""

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        raise AdapterRefused("out of memory")


async def test_an_adapter_that_the_engine_no_longer_loads_does_not_stop_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(kept(tmp_path)) as gateway:
        folder = str(write_adapter(tmp_path / "made"))
        await gateway.post("/admin/adapters", {"folder": folder})
        await gateway.post("/admin/adapters/support/activate", {})
    async with served(kept(tmp_path), Picky()) as gateway:
        assert gateway.parts.active.all == ()
        assert len(gateway.parts.store.adapters) == 1
    assert any("out of memory" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("engine", [Picky(), ScriptedEngine(digest="f" * 64)])
async def test_a_configured_adapter_that_cannot_be_served_stops_the_start(
    tmp_path: Path, engine: ScriptedEngine
) -> None:
    with pytest.raises(AdapterRefused):
        async with served(settings(tmp_path), engine):
            pass


async def test_a_configured_folder_that_is_no_adapter_stops_the_start(tmp_path: Path) -> None:
    config = settings(tmp_path, adapter=False, adapters=(AdapterConfig(folder=tmp_path),))
    with pytest.raises(AdapterRefused, match="not an adapter folder"):
        async with served(config):
            pass


async def test_records_that_cannot_be_opened_stop_the_start(tmp_path: Path) -> None:
    config = settings(tmp_path, adapter=False, records={"path": str(tmp_path)})
    parts = build_app(config).state.parts
    with pytest.raises(ConfigurationError, match=f"records {tmp_path}"):
        async with running(parts):
            pass
