"""Adapters on the embedded engine's model answer as PEFT's own layers would."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from gateway.engines.lora import Adapters
from gateway.errors import AdapterRefused

IDS = torch.tensor([[5, 9, 2, 7]])


def base() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, seed: int = 1, **config: object) -> Path:
        torch.manual_seed(seed)
        settings = {"r": 8, "lora_alpha": 24, "target_modules": "all-linear", **config}
        model = get_peft_model(base(), LoraConfig(init_lora_weights=False, **settings))
        model.save_pretrained(tmp_path / name)
        return tmp_path / name

    return make


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize(
    "config",
    [{}, {"target_modules": ["q_proj", "down_proj"]}, {"use_rslora": True}, {"r": 16}],
    ids=str,
)
def test_the_chosen_adapter_gives_the_logits_of_peft(
    folder: Callable[..., Path], config: dict[str, object]
) -> None:
    made = folder("one", **config)
    model = base()
    adapters = Adapters(model)
    adapters.load("one", made)
    adapters.choose("one")
    wanted = logits(PeftModel.from_pretrained(base(), made).eval())
    torch.testing.assert_close(logits(model), wanted)
    assert not torch.allclose(wanted, logits(base()))


def test_adapters_of_different_layers_and_the_base_model_take_turns_unchanged(
    folder: Callable[..., Path],
) -> None:
    model = base()
    alone = logits(model)
    adapters = Adapters(model)
    adapters.load("one", folder("one", seed=1))
    adapters.load("two", folder("two", seed=2, target_modules=["v_proj"]))
    found = {}
    for name in ("one", "two", "one", None, "two", None):
        adapters.choose(name)
        answer = logits(model)
        assert torch.equal(found.setdefault(name, answer), answer)
    assert torch.equal(found[None], alone)
    assert not torch.allclose(found["one"], found["two"])


def test_a_forgotten_adapter_changes_nothing_and_can_be_loaded_anew(
    folder: Callable[..., Path],
) -> None:
    model = base()
    alone = logits(model)
    adapters = Adapters(model)
    adapters.load("one", folder("one"))
    adapters.choose("one")
    adapters.unload("one")
    assert "one" not in adapters
    assert torch.equal(logits(model), alone)
    adapters.load("one", folder("other", seed=3))
    adapters.choose("one")
    assert not torch.allclose(logits(model), alone)


def _rank(made: Path) -> None:
    file = made / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"r": 32}))


def _weights(made: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    file = made / "adapter_model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file)


def _half(weights: dict[str, torch.Tensor]) -> None:
    del weights[min(key for key in weights if "lora_B" in key)]


def _shape(weights: dict[str, torch.Tensor]) -> None:
    key = min(key for key in weights if "lora_A" in key)
    weights[key] = weights[key][:, :-1].contiguous()


def _elsewhere(weights: dict[str, torch.Tensor]) -> None:
    for end in ("lora_A.weight", "lora_B.weight"):
        weights[f"base_model.model.model.layers.9.mlp.up_proj.{end}"] = torch.zeros(8, 8)


def _foreign(weights: dict[str, torch.Tensor]) -> None:
    weights["base_model.model.lm_head.lora_magnitude_vector"] = torch.zeros(8)


@pytest.mark.parametrize(
    "spoil",
    [
        _rank,
        lambda made: _weights(made, _half),
        lambda made: _weights(made, _shape),
        lambda made: _weights(made, _elsewhere),
        lambda made: _weights(made, _foreign),
        lambda made: (made / "adapter_model.safetensors").unlink(),
    ],
    ids=["rank", "half a pair", "shape", "no such layer", "foreign weight", "no weights"],
)
def test_an_adapter_that_does_not_fit_is_refused_and_leaves_no_trace(
    folder: Callable[..., Path], spoil: Callable[[Path], object]
) -> None:
    model = base()
    alone = logits(model)
    adapters = Adapters(model)
    made = folder("one")
    spoil(made)
    with pytest.raises(AdapterRefused, match="one cannot be loaded"):
        adapters.load("one", made)
    assert "one" not in adapters
    adapters.choose("one")
    assert torch.equal(logits(model), alone)
