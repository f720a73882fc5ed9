"""Whether the gateway would serve the adapter that a training makes, told before the training."""

from pathlib import Path

import torch
from peft import PeftConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save
from transformers import AutoConfig, AutoModelForCausalLM

from gateway.errors import AdapterRefused
from gateway.manifest import MAX_WEIGHT_BYTES, lora_problems


def require_servable(lora: PeftConfig, base_model: Path) -> None:
    """Check the kind and the size of a LoRA; of the base model's weights none are read.

    Raises:
        AdapterRefused: vLLM would not serve it, or its weights' file would be too large.
    """
    problems = lora_problems(lora.to_dict())
    if problems:
        raise AdapterRefused(f"the adapter would not be served: {'; '.join(problems)}")
    size = weight_bytes(lora, base_model)
    if size > MAX_WEIGHT_BYTES:
        raise AdapterRefused(
            f"the adapter's weights would be {size} bytes, at most {MAX_WEIGHT_BYTES} are served: "
            f"lower --rank (it is {lora.to_dict()['r']}) or narrow --target-modules"
        )


def weight_bytes(lora: PeftConfig, base_model: Path) -> int:
    """The size in bytes of the file that the LoRA's weights are saved to, in bfloat16."""
    config = AutoConfig.from_pretrained(base_model)
    # A foreign folder names a base model of its own, and PEFT would warn that it is this one now.
    lora.base_model_name_or_path = None
    with torch.device("meta"):
        model = get_peft_model(AutoModelForCausalLM.from_config(config), lora)
    shapes = {name: value.shape for name, value in get_peft_model_state_dict(model).items()}
    made = {name: torch.empty(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}
    return len(save(made, {"format": "pt"}))
