"""LoRA adapters on the embedded engine's base model, chosen without touching its weights.

y = W x + s B A x, with s = alpha / r, or alpha / sqrt(r) for rank-stabilised adapters (Hu et al.,
"LoRA", 2021; Kalajdzievski, "rsLoRA", 2023). PEFT trains them; its layers spend more time on
choosing what to do than on doing it where a step is one token long, so serving has its own. Knows
folders, tensors and layers; `local` above decides which adapter answers.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.nn.functional import linear

from gateway.errors import AdapterRefused

_PREFIX = "base_model.model."
_SUFFIXES = (".lora_A.weight", ".lora_B.weight")


class LoraLayer(torch.nn.Module):
    """A linear layer, plus the chosen adapter's low-rank change of it."""

    def __init__(self, wrapped: torch.nn.Linear) -> None:
        super().__init__()
        self._linear = wrapped
        self._factors: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._chosen: tuple[torch.Tensor, torch.Tensor] | None = None

    def put(self, name: str, down: torch.Tensor, up: torch.Tensor) -> None:
        """Keep an adapter's factors: `down` is A, (rank, in); `up` is s B, (out, rank).

        Raises:
            ValueError: their shapes are not those of this layer.
        """
        weight = self._linear.weight
        if (up.shape[0], down.shape[1]) != tuple(weight.shape) or up.shape[1] != down.shape[0]:
            raise ValueError(f"A {tuple(down.shape)} and B {tuple(up.shape)} do not fit")
        # A CPU multiplies matrices this thin four times as fast in float32 as in bfloat16.
        self._factors[name] = (down.to(weight.device).float(), up.to(weight.device).float())

    def drop(self, name: str) -> None:
        """Forget an adapter's factors, if there are any."""
        self._factors.pop(name, None)

    def choose(self, name: str | None) -> None:
        """Answer as this adapter, or as the base model."""
        self._chosen = None if name is None else self._factors.get(name)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out)."""
        y = self._linear(x)
        if self._chosen is None:
            return y
        down, up = self._chosen
        return y.add_(linear(linear(x.float(), down), up))


class Adapters:
    """The adapters loaded on one model; its linear layers are replaced as adapters need them."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._layers: dict[str, LoraLayer] = {}
        self._names: set[str] = set()
        self._chosen: str | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def load(self, name: str, folder: Path) -> None:
        """Load an adapter folder under a name; one that is loaded stays as it is.

        Raises:
            AdapterRefused: a file is missing or broken, or a weight has no layer to change.
        """
        if name in self._names:
            return
        try:
            config = json.loads((folder / "adapter_config.json").read_text())
            weights = load_file(folder / "adapter_model.safetensors")
            for path, down, up in _factors(config, weights):
                self._layer(path).put(name, down, up)
        except Exception as exc:
            self._drop(name)
            raise AdapterRefused(f"{name} cannot be loaded: {exc}") from exc
        self._names.add(name)

    def unload(self, name: str) -> None:
        """Forget an adapter; unknown names are none."""
        self._names.discard(name)
        self._drop(name)

    def choose(self, name: str | None) -> None:
        """Let the model answer as an adapter, or as itself alone."""
        if name != self._chosen:
            for layer in self._layers.values():
                layer.choose(name)
            self._chosen = name

    def _drop(self, name: str) -> None:
        self.choose(None)
        for layer in self._layers.values():
            layer.drop(name)

    def _layer(self, path: str) -> LoraLayer:
        if path not in self._layers:
            found = self._model.get_submodule(path)
            if not isinstance(found, torch.nn.Linear):
                raise ValueError(f"{path} is no linear layer")
            parent, _, child = path.rpartition(".")
            layer = LoraLayer(found)
            setattr(self._model.get_submodule(parent), child, layer)
            self._layers[path] = layer
        return self._layers[path]


def _factors(
    config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]
) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Each changed layer's path in the base model, its A, and its B times s."""
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    paths = {key.removesuffix(end) for key in weights for end in _SUFFIXES if key.endswith(end)}
    strange = sorted(key for key in weights if not key.endswith(_SUFFIXES))
    if strange or not paths:
        raise ValueError(f"{strange[0]} is no LoRA weight" if strange else "there are no weights")
    for path in sorted(paths):
        down, up = (weights[path + end] for end in _SUFFIXES)
        if down.shape[0] != rank:
            raise ValueError(f"{path} has rank {down.shape[0]}, the configuration says {rank}")
        yield path.removeprefix(_PREFIX), down, up.float() * scale
