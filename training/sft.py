"""Supervised fine-tuning of a LoRA adapter with TRL: one readable script, completion-only loss.

    python -m training.sft --toolset T.json --train DIR --validation DIR --base-model DIR --out DIR

Writes the PEFT adapter and `settings.json` into `--out`. A killed run goes on from its last
checkpoint when the same command is given again.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.sft_config import SFTConfig

from gateway.formats.base import FormatName
from gateway.manifest import SERVABLE_RANKS
from gateway.prompt import PromptForm
from gateway.types import Toolset
from training.allocator import keep_freed_memory
from training.answer_loss import AnswerLossTrainer
from training.examples import Example, examples
from training.order import arranged
from training.refresh import Refresher, in_passes
from training.rows import Row, read_rows, require_own_tools, require_toolset, rows_digest

Targets = Literal["all-linear", "attention", "mlp"]
_MODULES: dict[Targets, str | list[str]] = {
    "all-linear": "all-linear",
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}
"""Layers that LoRA adapts; the names are those of the Llama and Qwen families."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides the outcome of a run besides data and base model."""

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
    toolset_mode: Literal["exact", "varied"] = "exact"
    """`exact`: all rows were made for this toolset; `varied`: each row carries its own tools."""

    def __post_init__(self) -> None:
        if self.rank not in SERVABLE_RANKS:
            raise ValueError(f"rank {self.rank}: vLLM serves {SERVABLE_RANKS}")


def train(
    toolset: Toolset,
    train_rows: Path,
    validation_rows: Path,
    base_model: Path,
    out: Path,
    settings: Settings,
    init_from: Path | None = None,
) -> Path:
    """Train and save an adapter into `out`; resumes from a checkpoint of the same run.

    `init_from` is an adapter folder to go on from instead of a fresh LoRA of `settings.rank`.

    Raises:
        RowError: a row is broken.
        ToolsetMismatch: a row was made for another toolset, or offers no tools of its own.
        TooLongError: a row does not fit `settings.max_length` tokens.
    """
    keep_freed_memory()
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    rows = {
        "train": read_rows(train_rows, toolset),
        "validation": read_rows(validation_rows, toolset),
    }
    require = require_toolset if settings.toolset_mode == "exact" else require_own_tools
    for split in rows.values():
        require(split, toolset)
    made = {name: tokenize(split, toolset, settings, tokenizer) for name, split in rows.items()}
    lengths = [len(example.input_ids) for example in made["train"]]
    order = arranged(lengths, settings.batch_size, settings.epochs, settings.seed)
    refresher = Refresher(toolset, random.Random(settings.seed)) if settings.refresh else None
    shown = list(in_passes(rows["train"], order, refresher))
    checkpoints = out / "checkpoints"
    trainer = AnswerLossTrainer(
        model=_model(base_model, init_from),
        args=_arguments(settings, checkpoints),
        train_dataset=_dataset(tokenize(shown, toolset, settings, tokenizer)),
        eval_dataset=_dataset(made["validation"]),
        processing_class=tokenizer,
        peft_config=None if init_from else _lora(settings),
    )
    started = time.monotonic()
    with disable_input_dtype_casting(cast(Any, trainer.model)):  # autocast does it, and cheaper
        trainer.train(resume_from_checkpoint=any(checkpoints.glob("checkpoint-*")) or None)
    seconds = time.monotonic() - started
    cast(Any, trainer.model).to(torch.bfloat16)
    trainer.save_model(str(out))
    record = {
        "settings": asdict(settings) | {"init_from": init_from.name if init_from else None},
        "rows": {name: len(split) for name, split in rows.items()},
        "data_digest": {name: rows_digest(split) for name, split in rows.items()},
        "tokens": {
            name: sum(len(example.input_ids) for example in split) for name, split in made.items()
        },
        "seconds": round(seconds, 1),
        "log": trainer.state.log_history,
    }
    (out / "settings.json").write_text(json.dumps(record, indent=1))
    return out


def tokenize(
    rows: Sequence[Row], toolset: Toolset, settings: Settings, tokenizer: Any
) -> list[Example]:
    """Rows as a run with these settings is trained on them.

    Raises:
        TooLongError: a row does not fit.
        FormatRefused: the base model's chat template cannot carry the format.
    """
    return examples(
        rows, toolset, settings.form, tokenizer, settings.max_length, format=settings.format
    )


def _model(folder: Path, init_from: Path | None) -> Any:
    base = load_base_model(folder)
    return PeftModel.from_pretrained(base, init_from, is_trainable=True) if init_from else base


def load_base_model(folder: Path) -> Any:
    """The base model in bfloat16, with the attention that trains fastest where it runs."""
    # The fused attention of the CPU build spends 80 ms a layer in its backward pass at these
    # lengths, eager attention a tenth of that; on CUDA the fused one is the faster.
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, attn_implementation=attention
    )


def _dataset(made: list[Example]) -> Dataset:
    return Dataset.from_list([asdict(example) for example in made])


def _lora(settings: Settings) -> LoraConfig:
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=_MODULES[settings.target_modules],
        task_type="CAUSAL_LM",
    )


def _arguments(settings: Settings, checkpoints: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(checkpoints),
        num_train_epochs=1,  # the passes are in the arranged order already
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup,
        weight_decay=0.0,
        max_length=settings.max_length,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        gradient_checkpointing=False,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        eval_strategy="epoch",
        prediction_loss_only=True,
        save_strategy="steps",
        save_steps=60,
        save_total_limit=2,
        logging_steps=10,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to="none",
    )


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("toolset", "train", "validation", "base-model", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--init-from", type=Path)
    defaults = Settings()
    for name, value in asdict(defaults).items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=value)
        else:
            parser.add_argument(flag, type=type(value), default=value)
    options = vars(parser.parse_args())
    settings = Settings(**{name: options[name] for name in asdict(defaults)})
    toolset = Toolset.from_json(json.loads(options["toolset"].read_text()))
    train(
        toolset, options["train"], options["validation"], options["base_model"], options["out"],
        settings, options["init_from"],
    )  # fmt: skip


if __name__ == "__main__":
    main()
