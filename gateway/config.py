"""The configuration: a TOML file of our own, or an `mcpServers` JSON file of a desktop client.

Read once, checked whole, then frozen and passed in. `${NAME}` in a value is taken from the
environment, so that secrets stay out of the file.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from gateway.errors import ConfigurationError

SERVER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class Part(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerConfig(Part):
    """One MCP server: either a `command` to run (stdio) or a `url` (Streamable HTTP)."""

    name: str = Field(pattern=SERVER_NAME)
    command: str | None = None
    args: tuple[str, ...] = ()
    env: dict[str, SecretStr] = {}
    cwd: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    headers: dict[str, SecretStr] = {}
    prefix: str = Field(default="", max_length=32, pattern=r"^[A-Za-z0-9_-]*$")
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    poll_s: float = Field(default=60.0, gt=0)
    mode: Literal["auto", "legacy"] = "auto"

    @model_validator(mode="after")
    def _one_transport(self) -> "ServerConfig":
        if (self.command is None) == (self.url is None):
            raise ValueError("a server needs exactly one of `command` and `url`")
        return self

    def shown(self) -> dict[str, Any]:
        """The configuration with every secret redacted, for lists and logs."""
        value = self.model_dump(mode="json", exclude_defaults=True) | {"name": self.name}
        if self.url is not None:
            value["url"] = re.sub(r"(?<=//)[^/?#]*@", "**********@", self.url)
        return value

    def stored(self) -> dict[str, Any]:
        """The configuration with its secrets, for the records alone."""
        value = self.model_dump(mode="json", exclude_defaults=True) | {"name": self.name}
        for key in ("env", "headers"):
            secrets = cast(dict[str, SecretStr], getattr(self, key))
            if secrets:
                value[key] = {name: secret.get_secret_value() for name, secret in secrets.items()}
        return value


class ToolsetConfig(Part):
    """A named selection of tools: whole servers, or an allow list of tool names.

    A server may be registered later, at run time; until then the toolset is not live. Every
    server is also a toolset of its own, under its own name, unless one is configured so.
    """

    name: str = Field(pattern=SERVER_NAME)
    servers: tuple[str, ...]
    tools: tuple[str, ...] | None = None


class EngineConfig(Part):
    """Which engine runs the base model, and where its folder lies.

    Of the folder, `vllm` needs tokenizer and chat template alone: the weights are where its server
    at `url` runs. `folders` says under which path that server sees a folder of this machine.
    """

    kind: Literal["local", "scripted", "vllm", "none"] = "none"
    base_model: Path | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    api_key: SecretStr | None = None
    folders: dict[Path, str] = {}
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, gt=0)
    answers: dict[str, str] = {}

    @model_validator(mode="after")
    def _needs(self) -> "EngineConfig":
        if self.kind == "local" and self.base_model is None:
            raise ValueError("the local engine needs `base_model`, a folder")
        if self.kind == "vllm" and (self.base_model is None or self.url is None):
            raise ValueError("the engine vllm needs `url`, and `base_model`, a folder")
        return self


class AdapterConfig(Part):
    """An adapter folder to serve from the start, for one configured toolset."""

    folder: Path
    toolset: str | None = None


class RecordsConfig(Part):
    """What is kept, and where. `:memory:` keeps it until the gateway stops."""

    path: str = ":memory:"
    arguments: bool = True
    max_calls: int = Field(default=100_000, gt=0)


class AuthConfig(Part):
    """Bearer keys by scope. An admin key is an agent key too. No keys: loopback only."""

    agent_keys: tuple[SecretStr, ...] = ()
    admin_keys: tuple[SecretStr, ...] = ()
    keys_file: Path | None = None


class LimitsConfig(Part):
    """Bounds on what a client may send or hold."""

    body_bytes: int = Field(default=1_048_576, gt=0)
    result_bytes: int = Field(default=10_485_760, gt=0)
    concurrent_requests: int = Field(default=256, gt=0)
    engine_queue: int = Field(default=64, gt=0)


class Config(Part):
    """The whole configuration."""

    servers: tuple[ServerConfig, ...] = ()
    toolsets: tuple[ToolsetConfig, ...] = ()
    engine: EngineConfig = EngineConfig()
    adapters: tuple[AdapterConfig, ...] = ()
    adapter_store: Path = Path(".pointsman/adapters")
    records: RecordsConfig = RecordsConfig()
    auth: AuthConfig = AuthConfig()
    limits: LimitsConfig = LimitsConfig()
    allow_stdio_registration: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    log: Literal["json", "text"] = "text"
    drift_policy: Literal["mask", "warn", "block"] = "mask"

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        servers = [server.name for server in self.servers]
        for kind, names in (("server", servers), ("toolset", [t.name for t in self.toolsets])):
            double = {name for name in names if names.count(name) > 1}
            if double:
                raise ValueError(f"{kind} {sorted(double)[0]!r} is configured twice")
        return self


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
    changes = {
        "engine": engine, "records": records, "auth": auth, "adapters": adapters,
        "servers": servers, "adapter_store": at(config.adapter_store),
    }  # fmt: skip
    return config.model_copy(update=changes)


def _explain(exc: ValidationError) -> str:
    lines: list[str] = []
    for error in exc.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in error["loc"]) or "configuration"
        what = "unknown key" if error["type"] == "extra_forbidden" else error["msg"]
        lines.append(f"{where}: {what}")
    return "; ".join(lines)
