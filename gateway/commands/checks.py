"""The checks of `doctor`: each looks at one thing and finds it `ok`, worth a `note`, or a `fail`.

Servers are really connected to; nothing is written, and no adapter is loaded.
"""

import asyncio
import contextlib
import platform
import re
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

import httpx

from gateway.adapters.active import drift_of
from gateway.commands.client import is_loopback
from gateway.commands.output import CommandFailed
from gateway.commands.serving import bind
from gateway.commands.watching import watching
from gateway.config import AdapterConfig, Config, EngineConfig, load_config
from gateway.drift_policy import harshest
from gateway.errors import ConfigurationError, PointsmanError
from gateway.faces.keys import read_keys
from gateway.grades import ACTIONS
from gateway.manifest import SHOWN_DIGITS, read_adapter
from gateway.toolsets.upstream import Upstream
from gateway.toolsets.watch import Watch
from gateway.weights import weights_digest

_PACKAGE = "pointsman"
_EXTRAS = {"local": ("local",), "vllm": ("remote",)}
"""What the engines need beside what is always needed."""


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    state: Literal["ok", "note", "fail"]
    detail: str


async def examine(config_file: Path | None, host: str, port: int, wait_s: float) -> list[Check]:
    """Every check, in the order in which a gateway would meet its trouble."""
    config, found = _configuration(config_file)
    checks = [_python(), *packages(config.engine), found]
    checks += [_keys(config, host), _port(host, port), _records(config.records.path)]
    base_model, digest = _base_model(config.engine)
    checks.append(base_model)
    async with watching(config) as watch:
        checks += await asyncio.gather(*(_server(u, watch, wait_s) for u in watch.upstreams))
        checks += [_adapter(adapter, config, watch, digest) for adapter in config.adapters]
    return checks


def installed(package: str) -> str | None:
    """A package's version in this environment, None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _python() -> Check:
    wanted = metadata(_PACKAGE)["Requires-Python"]
    # `>=LOW,<HIGH`, in whichever order the build wrote them.
    low, high = sorted(tuple(map(int, v.split("."))) for v in re.findall(r"\d+\.\d+", wanted))
    here = platform.python_version_tuple()
    fits = low <= (int(here[0]), int(here[1])) < high
    detail = platform.python_version() + ("" if fits else f", Pointsman needs {wanted}")
    return Check("python", "ok" if fits else "fail", detail)


def packages(
    engine: EngineConfig, version_of: Callable[[str], str | None] = installed
) -> list[Check]:
    """One finding for what is always needed and one for each extra.

    `version_of` tells a package's version here, None if it is not installed.
    """
    wanted: dict[str, list[str]] = {"": []}
    for line in requires(_PACKAGE) or ():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name and name[0] != _PACKAGE:
            wanted.setdefault(extra[1] if extra else "", []).append(name[0])
    needed = {"", *_EXTRAS.get(engine.kind, ())}
    return [
        _extra(extra, {name: version_of(name) for name in names}, extra in needed)
        for extra, names in wanted.items()
    ]


def _extra(extra: str, versions: Mapping[str, str | None], needed: bool) -> Check:
    missing = [name for name, found in versions.items() if found is None]
    listed = ", ".join(f"{name} {found}" for name, found in versions.items() if found)
    if not missing:
        return Check(f"packages {extra}".strip(), "ok", listed)
    install = f"pip install '{_PACKAGE}[{extra}]'" if extra else f"pip install {_PACKAGE}"
    detail = f"missing {', '.join(missing)}: {install}"
    return Check(f"packages {extra}".strip(), "fail" if needed else "note", detail)


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
    """The finding, and the digest of the weights where this machine runs them."""
    folder = engine.base_model
    if folder is None:
        return Check("base model", "note", f"none: the engine is {engine.kind!r}"), None
    if engine.kind == "vllm":
        return _tokenizer(folder), None
    try:
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} holds no config.json")
        digest = weights_digest(folder)
    except (OSError, ValueError, KeyError) as exc:
        return Check("base model", "fail", f"no base model: {exc}"), None
    return Check("base model", "ok", f"{folder}, weights {digest[:SHOWN_DIGITS]}"), digest


def _tokenizer(folder: Path) -> Check:
    """What talking to vLLM takes of a base model; the weights are where vLLM runs."""
    try:
        from gateway.engines.tokenizer import FolderTokenizer  # an extra, checked by `packages`

        FolderTokenizer(folder).apply_chat_template([{"role": "user", "content": "hello"}])
    except ImportError as exc:
        return Check("base model", "note", f"{folder} was not looked at: no {exc.name}")
    except ValueError as exc:
        return Check("base model", "fail", str(exc))
    return Check("base model", "ok", f"{folder}, tokenizer and chat template; weights at vLLM")


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
    listed = {upstream.name for upstream in watch.upstreams if upstream.listing is not None}
    if not listed.issuperset(config.servers_of(chosen)):
        return Check(name, "note", f"{adapter.version}{matched}; drift cannot be told")
    grade = (drift := drift_of(adapter, watch.catalog.toolsets[chosen].by_name)).worst
    detail = f"{adapter.version}{matched}; drift on {chosen}: {grade}"
    if grade in ("none", "notation"):
        return Check(name, "ok", detail)
    rules = config.drift_rules.with_adapter(adapter.name, configured.drift)
    harsh = harshest(rules, adapter.name, (item.grade for item in drift.tools))
    state = "fail" if ACTIONS.index(harsh) > ACTIONS.index("warn") else "note"
    return Check(name, state, f"{detail} ({', '.join(drift.names)})")
