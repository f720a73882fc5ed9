"""The checks of `doctor`: each looks at one thing and finds it `ok`, worth a `note`, or a `fail`.

Servers are really connected to; nothing is written, and no adapter is loaded.
"""

import asyncio
import contextlib
import logging
import platform
import re
import sqlite3
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

import httpx

from gateway.adapters.active import drift_of
from gateway.app import read_keys
from gateway.commands.client import is_loopback
from gateway.commands.output import CommandFailed
from gateway.commands.serving import bind
from gateway.config import AdapterConfig, Config, EngineConfig, load_config
from gateway.drift import MASKED
from gateway.errors import ConfigurationError, PointsmanError
from gateway.manifest import SHOWN_DIGITS, read_adapter
from gateway.toolsets.upstream import Upstream
from gateway.toolsets.watch import Watch
from gateway.weights import weights_digest

_PACKAGE = "pointsman"


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    state: Literal["ok", "note", "fail"]
    detail: str


async def examine(config_file: Path | None, host: str, port: int, wait_s: float) -> list[Check]:
    """Every check, in the order in which a gateway would meet its trouble."""
    config, found = _configuration(config_file)
    checks = [_python(), *_packages(config.engine), found]
    checks += [_keys(config, host), _port(host, port), _records(config.records.path)]
    base_model, digest = _base_model(config.engine)
    checks.append(base_model)
    with _quiet():
        watch = Watch(config.servers, config.toolsets)
        watch.start()
        try:
            checks += await asyncio.gather(*(_server(u, watch, wait_s) for u in watch.upstreams))
            checks += [_adapter(adapter, config, watch, digest) for adapter in config.adapters]
        finally:
            await watch.close()
    return checks


def _python() -> Check:
    wanted = metadata(_PACKAGE)["Requires-Python"]
    # `>=LOW,<HIGH`, in whichever order the build wrote them.
    low, high = sorted(tuple(map(int, v.split("."))) for v in re.findall(r"\d+\.\d+", wanted))
    here = platform.python_version_tuple()
    fits = low <= (int(here[0]), int(here[1])) < high
    detail = platform.python_version() + ("" if fits else f", Pointsman needs {wanted}")
    return Check("python", "ok" if fits else "fail", detail)


def _packages(engine: EngineConfig) -> list[Check]:
    """One finding for what is always needed and one for each extra."""
    wanted: dict[str, list[str]] = {"": []}
    for line in requires(_PACKAGE) or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name and name[0] != _PACKAGE:
            wanted.setdefault(extra[1] if extra else "", []).append(name[0])
    needed = {"", "local"} if engine.kind == "local" else {""}
    return [_extra(extra, names, extra in needed) for extra, names in wanted.items()]


def _extra(extra: str, names: Sequence[str], needed: bool) -> Check:
    versions = {name: _version(name) for name in names}
    missing = [name for name, found in versions.items() if found is None]
    listed = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    if not missing:
        return Check(f"packages {extra}".strip(), "ok", listed)
    install = f"pip install '{_PACKAGE}[{extra}]'" if extra else f"pip install {_PACKAGE}"
    detail = f"missing {', '.join(missing)}: {install}"
    return Check(f"packages {extra}".strip(), "fail" if needed else "note", detail)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _configuration(file: Path | None) -> tuple[Config, Check]:
    if file is None:
        return Config(), Check("configuration", "note", "none given: no servers, no adapter")
    try:
        config = load_config(file)
    except ConfigurationError as exc:
        return Config(), Check("configuration", "fail", str(exc))
    counts = f"{len(config.servers)} servers, {len(config.toolsets)} toolsets"
    return config, Check("configuration", "ok", f"{file}: {counts}")


def _keys(config: Config, host: str) -> Check:
    try:
        keys = read_keys(config.auth)
    except ConfigurationError as exc:
        return Check("keys", "fail", str(exc))
    if keys:
        return Check("keys", "ok", f"{len(keys.agent)} agent, {len(keys.admin)} admin")
    if is_loopback(host):
        return Check("keys", "note", "none: the gateway serves loopback only, and lets all in")
    return Check("keys", "fail", f"none, and {host} is not loopback: set POINTSMAN_AGENT_KEYS")


def _port(host: str, port: int) -> Check:
    try:
        bind(host, port).close()
    except CommandFailed as exc:
        if _answers_like_a_gateway(host, port):
            return Check("port", "note", f"{host}, port {port}: a gateway is running there")
        return Check("port", "fail", str(exc))
    return Check("port", "ok", f"{host}, port {port} is free")


def _answers_like_a_gateway(host: str, port: int) -> bool:
    shown = f"[{host}]" if ":" in host else host
    try:
        answer = httpx.get(f"http://{shown}:{port}/healthz", timeout=2, trust_env=False)
        return answer.json() == {"status": "ok"}
    except (httpx.HTTPError, ValueError):
        return False


def _records(path: str) -> Check:
    if path == ":memory:":
        return Check("records", "note", "kept in memory until the gateway stops")
    file = Path(path)
    try:
        if file.exists():
            with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw",
                                                    uri=True)) as database:  # fmt: skip
                database.execute("BEGIN IMMEDIATE")
                database.rollback()
        else:
            parent = next(folder for folder in file.absolute().parents if folder.exists())
            with tempfile.TemporaryFile(dir=parent):
                pass
    except (OSError, sqlite3.Error) as exc:
        return Check("records", "fail", f"{path} cannot be written: {exc}")
    return Check("records", "ok", f"{path} can be written")


def _base_model(engine: EngineConfig) -> tuple[Check, str | None]:
    """The finding, and the digest of the weights."""
    folder = engine.base_model
    if folder is None:
        return Check("base model", "note", f"none: the engine is {engine.kind!r}"), None
    try:
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} holds no config.json")
        digest = weights_digest(folder)
    except (OSError, ValueError, KeyError) as exc:
        return Check("base model", "fail", f"no base model: {exc}"), None
    return Check("base model", "ok", f"{folder}, weights {digest[:SHOWN_DIGITS]}"), digest


async def _server(upstream: Upstream, watch: Watch, wait_s: float) -> Check:
    name = f"server {upstream.name}"
    try:
        await upstream.first_listing(wait_s)
    except PointsmanError as exc:
        return Check(name, "fail", str(exc))
    catalog = watch.catalog
    count = sum(entry.server == upstream.name for entry in catalog.entries.values())
    left_out = [item for item in catalog.left_out if item.server == upstream.name]
    if not left_out:
        return Check(name, "ok", f"{count} tools")
    reasons = "; ".join(f"{item.tool} is left out: {item.reason}" for item in left_out)
    return Check(name, "note", f"{count} tools; {reasons}")


def _adapter(
    configured: AdapterConfig, config: Config, watch: Watch, base_digest: str | None
) -> Check:
    name = f"adapter {configured.folder.name}"
    try:
        adapter = read_adapter(configured.folder)
    except PointsmanError as exc:
        return Check(name, "fail", str(exc))
    wanted = adapter.manifest.base_model
    if base_digest is not None and base_digest != wanted.weights_digest:
        detail = f"{adapter.version} belongs to base model {wanted.name} "
        detail += f"({wanted.weights_digest[:SHOWN_DIGITS]}), not {base_digest[:SHOWN_DIGITS]}"
        return Check(name, "fail", detail)
    matched = "" if base_digest is None else ", matches the base model"
    chosen = configured.toolset or adapter.manifest.toolset
    # Every server is also a toolset of its own; more of both may be registered at run time.
    servers = next((t.servers for t in config.toolsets if t.name == chosen), (chosen,))
    listed = {upstream.name for upstream in watch.upstreams if upstream.listing is not None}
    if not listed.issuperset(servers):
        return Check(name, "note", f"{adapter.version}{matched}; drift cannot be told")
    grade = (drift := drift_of(adapter, watch.catalog.toolsets[chosen].by_name)).worst
    detail = f"{adapter.version}{matched}; drift on {chosen}: {grade}"
    if grade in ("none", "notation"):
        return Check(name, "ok", detail)
    state = "fail" if grade in MASKED and config.drift_policy != "warn" else "note"
    return Check(name, state, f"{detail} ({', '.join(drift.names)})")


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Within: no log lines, for what they would say is a finding already."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
