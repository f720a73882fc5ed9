"""What decides the outcome of a training besides data and base model."""

from dataclasses import dataclass
from typing import Literal

from gateway.formats.base import FormatName
from gateway.manifest import SERVABLE_RANKS, ToolsetMode
from gateway.prompt import PromptForm

Targets = Literal["all-linear", "attention", "mlp"]


@dataclass(frozen=True)
class Settings:
    """The settings of one supervised training.

    Raises:
        ValueError: vLLM would not serve an adapter of this rank, or the prompt form shows none of
            the tools that each row carries.
    """

    format: FormatName = "json"
    form: PromptForm = "name"
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    target_modules: Targets = "all-linear"
    learning_rate: float = 4e-4
    epochs: float = 2.0
    batch_size: int = 16
    warmup: float = 0.05
    max_length: int = 512
    seed: int = 7
    refresh: bool = True
    """Whether a row shows fresh identifiers from its second pass on."""
    toolset_mode: ToolsetMode = "exact"
    """`exact`: all rows were made for this toolset; `varied`: each row carries its own tools."""

    def __post_init__(self) -> None:
        if self.rank not in SERVABLE_RANKS:
            raise ValueError(f"rank {self.rank}: vLLM serves {SERVABLE_RANKS}")
        if self.toolset_mode == "varied" and self.form == "name":
            raise ValueError("toolset_mode varied: the prompt form 'name' shows no tools")
