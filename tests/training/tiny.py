"""A base model of two layers with the real tokenizer, and a few of our own rows to train it on."""

from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

ROOT = Path(__file__).parents[2]
TOOLSET = ROOT / "mcp_servers/support/toolset.json"
BASE_MODEL = ROOT / ".models" / "smollm2-135m-instruct"


def write_base_model(folder: Path, *, intermediate_size: int = 32) -> Path:
    """Untrained weights, the same every time."""
    if not BASE_MODEL.is_dir():
        pytest.skip("the base model is not prepared; `make test` does that")
    torch.manual_seed(3)
    tokenizer = transformers.AutoTokenizer.from_pretrained(BASE_MODEL)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=intermediate_size,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_rows(file: Path, start: int, end: int, voice: str = "short") -> Path:
    """Rows `start` to `end` of a voice; that of the shortest by default."""
    lines = (ROOT / f"training/data/support/train/{voice}.jsonl").read_text().splitlines()
    file.write_text("\n".join(lines[start:end]) + "\n")
    return file
