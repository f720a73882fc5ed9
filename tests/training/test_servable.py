"""What a training would make is refused before it, where it could not be published after it."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from gateway.errors import AdapterRefused
from gateway.types import Toolset
from tests.training.tiny import TOOLSET, write_base_model, write_rows
from training.run import RunMismatch
from training.servable import require_servable, weight_bytes
from training.settings import Settings
from training.sft import train

WIDE = 16_384
"""The MLP of a base model that is small, while its largest adapter is not."""


def lora(rank: int = 8, **more: Any) -> LoraConfig:
    return LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM", **more)


def saved(base: Path, folder: Path, config: LoraConfig) -> Path:
    """A LoRA folder as PEFT writes it, in bfloat16."""
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    model.bfloat16().save_pretrained(folder)
    return folder


def refusal(
    base: Path,
    folder: Path,
    init_from: Path | None = None,
    rank: int = 8,
    sort: type[Exception] = AdapterRefused,
) -> str:
    """What a training says that is refused before it leaves anything."""
    toolset = Toolset.from_json(json.loads(TOOLSET.read_text()))
    rows = write_rows(folder / "rows.jsonl", 0, 4)
    with pytest.raises(sort) as caught:
        train(toolset, rows, rows, base, folder / "run", Settings(rank=rank), init_from)
    assert not (folder / "run").exists()
    return str(caught.value)


def test_the_size_foretold_is_that_of_the_saved_file(tmp_path: Path) -> None:
    base = write_base_model(tmp_path / "base")
    size = saved(base, tmp_path / "a", lora()) / "adapter_model.safetensors"
    assert weight_bytes(lora(), base) == size.stat().st_size


def test_an_adapter_that_would_be_too_large_is_refused_before_the_training(tmp_path: Path) -> None:
    base = write_base_model(tmp_path / "base", intermediate_size=WIDE)
    require_servable(lora(32), base)
    told = refusal(base, tmp_path, rank=64)
    assert "at most 10000000 are served: lower --rank (it is 64) or narrow --target-modules" in told


def test_an_adapter_to_go_on_from_that_would_be_too_large_is_refused_too(tmp_path: Path) -> None:
    base = write_base_model(tmp_path / "base", intermediate_size=WIDE)
    large = saved(base, tmp_path / "large", lora(64))
    assert "lower --rank (it is 64)" in refusal(base, tmp_path, large)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (lora(4), "LoRA rank 4 is not one of"),
        (lora(use_dora=True), "use_dora=True is not served by vLLM"),
        (lora(modules_to_save=["lm_head"]), "modules_to_save=['lm_head']"),
    ],
    ids=["rank", "DoRA", "modules_to_save"],
)
def test_what_vllm_would_not_serve_is_not_gone_on_from(
    tmp_path: Path, config: LoraConfig, told: str
) -> None:
    base = write_base_model(tmp_path / "base")
    assert told in refusal(base, tmp_path, saved(base, tmp_path / "foreign", config))


def test_an_adapter_of_another_base_model_is_not_gone_on_from(tmp_path: Path) -> None:
    base = write_base_model(tmp_path / "base")
    foreign = saved(base, tmp_path / "foreign", lora())
    (foreign / "settings.json").write_text(json.dumps({"base_model": "a" * 64}))
    told = refusal(base, tmp_path, foreign, sort=RunMismatch)
    assert "foreign was made on base model aaaaaaaa, not " in told
