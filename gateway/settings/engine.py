"""The engine, and the adapters that it serves from the start."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from gateway.drift_policy import DriftRules
from gateway.settings.part import Part


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
    folders: dict[Path, str] = Field(default={})
    patience: PatienceConfig = PatienceConfig()
    reconcile_s: float = Field(default=5.0, gt=0, le=3600)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(default=None, gt=0)
    answers: dict[str, str] = Field(default={})

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
