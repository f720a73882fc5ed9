"""The whole configuration, and the parts of it that are small."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from gateway.drift_policy import DriftDefault, DriftPolicy
from gateway.settings.drift import DriftConfig
from gateway.settings.engine import AdapterConfig, EngineConfig
from gateway.settings.part import Part
from gateway.settings.servers import ServerConfig, ToolsetConfig


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
    to be told of news (GET of an event stream, or `subscriptions/listen` over MCP); those do no
    work, and are counted apart. `/healthz` and `/readyz` are not counted among the requests."""

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
