"""The embedded engine and the native format: real tokens and templates, a tiny random model."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from gateway.engines.base import Prompt
from gateway.engines.local import LocalEngine
from gateway.errors import AdapterRefused, EngineDown
from gateway.formats.known import FORMATS
from gateway.types import Message
from gateway.validate import ToolValidator
from tests.adapters import support_toolset, write_adapter
from tests.gateway.formats.templates import smollm2, with_template
from training.examples import examples
from training.rows import Row

DESK = support_toolset()
NATIVE = FORMATS["native"]
SPEC = {"format": "native", "version": 1, "form": "schemas"}


def base_model(folder: Path, tokenizer: Any) -> Path:
    """A model of one layer with random weights, and the tokenizer given."""
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def native_adapter(folder: Path, base: Path) -> Path:
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    config = LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(folder)
    weights = (folder / "adapter_model.safetensors").read_bytes()
    settings = (folder / "adapter_config.json").read_bytes()
    write_adapter(folder, prompt=SPEC)
    (folder / "adapter_model.safetensors").write_bytes(weights)
    (folder / "adapter_config.json").write_bytes(settings)
    return folder


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return base_model(tmp_path_factory.mktemp("qwen3"), with_template("qwen3"))


@pytest.fixture
async def engine(qwen3: Path) -> AsyncGenerator[LocalEngine]:
    made = LocalEngine(qwen3, device="cpu", threads=1)
    await made.start()
    yield made
    await made.close()


def prompt(text: str, adapter: str | None = None, *, constrained: bool = True) -> Prompt:
    asked = NATIVE.ask([Message("user", text)], DESK, "schemas")
    return Prompt(
        asked.messages,
        adapter,
        None,
        16_384,
        400,
        asked.tools,
        NATIVE.language(DESK).grammar if constrained else None,
    )


async def test_the_grammar_makes_random_weights_write_native_answers(
    engine: LocalEngine, qwen3: Path, tmp_path: Path
):
    await engine.load("desk@1", native_adapter(tmp_path, qwen3))
    validators = {tool.name: ToolValidator(tool) for tool in DESK.tools}
    for adapter in (None, "desk@1"):
        first = await engine.complete(prompt("where is ORD-1234?", adapter))
        if first.usage.completion_tokens < 400:
            route = NATIVE.parse(first.text)
            assert route.error is None, first.text
            assert all(call.tool in validators for call in route.calls)
        assert first.text.startswith(('<tool_call>\n{"name": ', "no tool: "))
        assert await engine.complete(prompt("where is ORD-1234?", adapter)) == first


async def test_the_prompt_served_is_the_prompt_trained(engine: LocalEngine):
    target = {"tool": "no_tool", "reason": "chat"}
    row = Row((Message("user", "hello ✓"),), target, "chat", "desk")
    (made,) = examples([row], DESK, "schemas", with_template("qwen3"), 16_384, "native")
    completion = await engine.complete(prompt("hello ✓"))
    assert completion.usage.prompt_tokens == made.completion_mask.index(1)


async def test_native_adapters_and_prompts_are_refused_where_the_chat_template_has_no_tools(
    qwen3: Path, tmp_path: Path
):
    engine = LocalEngine(base_model(tmp_path / "base", smollm2()), device="cpu", threads=1)
    await engine.start()
    folder = native_adapter(tmp_path / "adapter", tmp_path / "base")
    with pytest.raises(AdapterRefused, match=r"desk@1: .* does not render `tools`"):
        await engine.load("desk@1", folder)
    (folder / "manifest.json").unlink()
    await engine.load("desk@1", folder)
    with pytest.raises(EngineDown, match="does not render `tools`"):
        await engine.complete(prompt("where is ORD-1234?"))
    await engine.close()


async def test_an_adapter_with_a_broken_manifest_is_refused(engine: LocalEngine, tmp_path: Path):
    folder = write_adapter(tmp_path)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(AdapterRefused, match="desk@1"):
        await engine.load("desk@1", folder)
