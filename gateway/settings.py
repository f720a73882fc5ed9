"""The settings: what a configuration may say, checked whole, then frozen and passed in.

Knows no files and no environment; `gateway.config` reads them and stands above.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway.drift_policy import DriftDefault, DriftPolicy, DriftRules

SERVER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class Part(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerConfig(Part):
    """One MCP server: either a `command` to run (stdio) or a `url` (Streamable HTTP).

    With `hold_changes`, a new or changed tool counts only once a person approved it.
    """

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
    hold_changes: bool = False

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


class PatienceConfig(Part):
    """How long to wait for vLLM, in seconds: for the first server when the gateway starts, for a
    connection, for an adapter to be loaded, and for a completion."""

    start_s: float = Field(default=10.0, ge=0, le=3600)
    connect_s: float = Field(default=5.0, gt=0, le=3600)
    load_s: float = Field(default=60.0, gt=0, le=3600)
    answer_s: float = Field(default=60.0, gt=0, le=3600)


class EngineConfig(Part):
    """Which engine runs the base model, and where its folder lies.

    Of the folder, `vllm` needs tokenizer and chat template alone: the weights are where its servers
    run, one at `url` or several at `urls`. `folders` says under which path they see a folder of
    this machine. Every `reconcile_s` they are looked at, and brought to the wanted state.
    """

    kind: Literal["local", "scripted", "vllm", "none"] = "none"
    base_model: Path | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    urls: tuple[Annotated[str, Field(pattern=r"^https?://")], ...] = ()
    api_key: SecretStr | None = None
    folders: dict[Path, str] = {}
    patience: PatienceConfig = PatienceConfig()
    reconcile_s: float = Field(default=5.0, gt=0, le=3600)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, gt=0)
    answers: dict[str, str] = {}

    @model_validator(mode="after")
    def _needs(self) -> "EngineConfig":
        if self.kind == "local" and self.base_model is None:
            raise ValueError("the local engine needs `base_model`, a folder")
        if self.kind == "vllm" and (self.base_model is None or not self.servers):
            raise ValueError("the engine vllm needs `url` or `urls`, and `base_model`, a folder")
        if self.url is not None and self.urls:
            raise ValueError("one server is named by `url`, several by `urls`, none by both")
        if len(set(self.urls)) < len(self.urls):
            raise ValueError("`urls` names a server twice")
        return self

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses of all vLLM servers."""
        return self.urls if self.url is None else (self.url,)


class AdapterConfig(Part):
    """An adapter folder to serve from the start, for one configured toolset. `drift` holds the
    rules for this adapter alone."""

    folder: Path
    toolset: str | None = None
    drift: DriftRules = DriftRules()


class RecordsConfig(Part):
    """What is kept, and where. `:memory:` keeps it until the gateway stops. A gateway looks every
    `follow_s` seconds whether another one over the same file has changed the wanted state."""

    path: str = ":memory:"
    follow_s: float = Field(default=1.0, gt=0, le=3600)
    arguments: bool = True
    max_calls: int = Field(default=100_000, gt=0)


class AuthConfig(Part):
    """Bearer keys by scope. An admin key is an agent key too. No keys: loopback only."""

    agent_keys: tuple[SecretStr, ...] = ()
    admin_keys: tuple[SecretStr, ...] = ()
    keys_file: Path | None = None


class LimitsConfig(Part):
    """Bounds on what a client may send or hold. An `open_streams` is one that an agent holds open
    to be told of news (GET of an event stream); those do no work, and are counted apart."""

    body_bytes: int = Field(default=1_048_576, gt=0)
    result_bytes: int = Field(default=10_485_760, gt=0)
    concurrent_requests: int = Field(default=256, gt=0)
    open_streams: int = Field(default=2_000, gt=0)
    engine_queue: int = Field(default=64, gt=0)


class SwapConfig(Part):
    """How versions take over. `grace_s`: for how many seconds a version stays loaded that nobody
    needs any more. The others are for trials with `--auto`: after how many requests of a version it
    may be promoted, and from how many on it may be rolled back."""

    grace_s: float = Field(default=5.0, ge=0, le=3600)
    trial_requests: int = Field(default=200, gt=0)
    alarm_requests: int = Field(default=50, gt=0)


class FallbackConfig(Part):
    """The LLM that takes over what the router leaves: any server of OpenAI's Chat Completions.

    `url` is what OpenAI's clients call the base URL, usually ending in `/v1`. `repeats` is how
    often one call may be made between two messages of the user before it is taken for a loop.
    """

    url: str = Field(pattern=r"^https?://")
    model: str = Field(min_length=1)
    api_key: SecretStr | None = None
    connect_s: float = Field(default=5.0, gt=0, le=60)
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    retries: int = Field(default=2, ge=0, le=10)
    backoff_s: float = Field(default=0.25, ge=0, le=60)
    connections: int = Field(default=64, gt=0)
    repeats: int = Field(default=3, gt=0)


class ApprovalConfig(Part):
    """What runs only after a person approved it: tools marked destructive, or named here."""

    destructive: bool = False
    tools: frozenset[str] = frozenset()


class WebhookConfig(Part):
    """Where events are sent, and the secret that signs them. After a failure an event is sent again
    `retries` times, after `backoff_s` seconds and then after twice as long each time."""

    url: str = Field(pattern=r"^https?://")
    secret: SecretStr = Field(min_length=16)
    retries: int = Field(default=3, ge=0, le=10)
    backoff_s: float = Field(default=1.0, ge=0, le=600)

    @field_validator("url")
    @classmethod
    def _has_a_host(cls, url: str) -> str:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0:  # reading a port that is none raises
            raise ValueError("the address names no host")
        return url


class MeasureConfig(Part):
    """How the gateway measures what a drift costs: with at most `rows` of those that an adapter
    carries, evenly spread, and the answers kept beneath `folder`.

    A row is asked once no agent has asked for `quiet_s` seconds; under constant load one row all
    the same every `every_s` seconds, so that agents wait for no more of them.
    """

    rows: int = Field(default=100, gt=0)
    folder: Path = Path(".pointsman/impact")
    quiet_s: float = Field(default=0.5, ge=0, le=3600)
    every_s: float = Field(default=30.0, gt=0, le=86_400)


class DriftConfig(DriftPolicy):
    """What is done about drift, who is told of it beside the log, and whether its cost is
    measured."""

    webhook: WebhookConfig | None = None
    measure: MeasureConfig | None = None


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
    swap: SwapConfig = SwapConfig()
    fallback: FallbackConfig | None = None
    approval: ApprovalConfig = ApprovalConfig()
    allow_stdio_registration: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    log: Literal["json", "text"] = "text"
    drift_policy: DriftDefault = "mask"
    drift: DriftConfig = DriftConfig()

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        servers = [server.name for server in self.servers]
        for kind, names in (("server", servers), ("toolset", [t.name for t in self.toolsets])):
            double = {name for name in names if names.count(name) > 1}
            if double:
                raise ValueError(f"{kind} {sorted(double)[0]!r} is configured twice")
        if self.drift.measure is not None and self.engine.kind == "none":
            raise ValueError("drift.measure asks the adapter: it needs an engine")
        if "drift_policy" in self.model_fields_set and self.drift.policy is not None:
            raise ValueError("drift_policy is short for drift.policy: set one of them")
        return self

    def servers_of(self, toolset: str) -> tuple[str, ...]:
        """The servers of a toolset. One that is not configured is that of a server of its name, be
        it here or registered at run time."""
        return next((t.servers for t in self.toolsets if t.name == toolset), (toolset,))

    @property
    def drift_rules(self) -> DriftPolicy:
        """The policy for drift, whichever key it came by, without those of single adapters."""
        given = self.drift
        return DriftPolicy(
            policy=given.policy or self.drift_policy,
            grades=given.grades,
            fallback=given.fallback,
            adapters=given.adapters,
        )
