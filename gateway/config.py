"""The configuration: a TOML file of our own, or an `mcpServers` JSON file of a desktop client.

Read once, checked whole, then frozen and passed in. `${NAME}` in a value is taken from the
environment, so that secrets stay out of the file. What it may say stands in `gateway.settings`.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.settings.drift import DriftConfig, MeasureConfig, WebhookConfig
from gateway.settings.engine import AdapterConfig, EngineConfig, PatienceConfig
from gateway.settings.part import SERVER_NAME, Part
from gateway.settings.root import (
    ApprovalConfig,
    AuthConfig,
    Config,
    FallbackConfig,
    LimitsConfig,
    RecordsConfig,
    SwapConfig,
)
from gateway.settings.servers import ServerConfig, ToolsetConfig

__all__ = [
    "SERVER_NAME",
    "AdapterConfig",
    "ApprovalConfig",
    "AuthConfig",
    "Config",
    "DriftConfig",
    "EngineConfig",
    "FallbackConfig",
    "LimitsConfig",
    "MeasureConfig",
    "Part",
    "PatienceConfig",
    "RecordsConfig",
    "ServerConfig",
    "SwapConfig",
    "ToolsetConfig",
    "WebhookConfig",
    "load_config",
]


def load_config(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file; paths in it are relative to the file's folder.

    Raises:
        ConfigurationError: the file cannot be read, a key is unknown, a value is wrong, or a
            variable it names is not set. The message names the file and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as exc:
        raise ConfigurationError(f"{path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigurationError(f"{path}: {exc}") from exc
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path}: the configuration must be an object")
    if "mcpServers" in raw:
        raw = _from_mcp_servers(cast(dict[str, Any], raw), path)
    try:
        config = Config.model_validate(_expand(raw, environ, path))
    except ValidationError as exc:
        raise ConfigurationError(f"{path}: {_explain(exc)}") from exc
    return _absolute(config, path.resolve().parent)


def _from_mcp_servers(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """Our form of `{"mcpServers": {name: {command, args, env} | {url, headers}}}`."""
    servers = raw["mcpServers"]
    if not isinstance(servers, dict):
        raise ConfigurationError(f"{path}: mcpServers must be an object")
    named: list[dict[str, Any]] = []
    for name, value in cast(dict[str, Any], servers).items():
        if not isinstance(value, dict):
            raise ConfigurationError(f"{path}: mcpServers.{name} must be an object")
        settings = cast(dict[str, Any], value)
        # Clients write a transport type and an on/off switch; the first follows from the
        # presence of `url`, the second decides whether the server is used at all.
        settings = {k: v for k, v in settings.items() if k not in ("type", "transport")}
        if settings.pop("disabled", False) is not True:
            named.append({"name": name, **settings})
    rest = {key: value for key, value in raw.items() if key != "mcpServers"}
    toolset = {"name": "default", "servers": [server["name"] for server in named]}
    return {"servers": named, "toolsets": [toolset] if named else [], **rest}


def _expand(value: Any, environ: Mapping[str, str], path: Path) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, environ, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, environ, path) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda match: _variable(match[1], environ, path), value)
    return value


def _variable(name: str, environ: Mapping[str, str], path: Path) -> str:
    if name not in environ:
        raise ConfigurationError(f"{path}: the environment variable {name} is not set")
    return environ[name]


def _absolute(config: Config, folder: Path) -> Config:
    def at(path: Path) -> Path:
        return path if path.is_absolute() else folder / path

    engine = config.engine
    if engine.base_model is not None:
        engine = engine.model_copy(update={"base_model": at(engine.base_model)})
    folders = {at(here): there for here, there in engine.folders.items()}
    engine = engine.model_copy(update={"folders": folders})
    records = config.records
    if records.path != ":memory:":
        records = records.model_copy(update={"path": str(at(Path(records.path)))})
    auth = config.auth
    if auth.keys_file is not None:
        auth = auth.model_copy(update={"keys_file": at(auth.keys_file)})
    adapters = tuple(
        adapter.model_copy(update={"folder": at(adapter.folder)}) for adapter in config.adapters
    )

    def located(server: ServerConfig) -> ServerConfig:
        # A command without a slash is looked up on PATH, as a shell does.
        command, cwd = server.command, server.cwd
        if command is not None and "/" in command:
            command = str(at(Path(command)))
        return server.model_copy(
            update={"command": command, "cwd": str(at(Path(cwd))) if cwd else None}
        )

    servers = tuple(located(server) for server in config.servers)
    drift, measure = config.drift, config.drift.measure
    if measure is not None:
        measure = measure.model_copy(update={"folder": at(measure.folder)})
        drift = drift.model_copy(update={"measure": measure})
    changes = {
        "engine": engine, "records": records, "auth": auth, "adapters": adapters,
        "servers": servers, "adapter_store": at(config.adapter_store), "drift": drift,
    }  # fmt: skip
    return config.model_copy(update=changes)


def _explain(exc: ValidationError) -> str:
    lines: list[str] = []
    for error in exc.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in error["loc"]) or "configuration"
        what = "unknown key" if error["type"] == "extra_forbidden" else error["msg"]
        lines.append(f"{where}: {what}")
    return "; ".join(lines)
