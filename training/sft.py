"""Supervised fine-tuning of a LoRA adapter with TRL: one readable script, completion-only loss.

    python -m training.sft --toolset T.json --train DIR --validation DIR --base-model DIR --out DIR

Writes the PEFT adapter and `settings.json` into `--out`. A killed run goes on from its last
checkpoint when the same command is given again.
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from datasets import Dataset
from peft import LoraConfig, PeftConfig, PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.trainer.sft_config import SFTConfig

from gateway.engines.decoder import compute_dtype
from gateway.types import Toolset
from gateway.weights import weights_digest
from training.allocator import keep_freed_memory
from training.answer_loss import AnswerLossTrainer
from training.checkpoints import SAVE_EVERY_S, ClockedCheckpoints, last_whole, seconds_spent
from training.environment import environment
from training.examples import Example, examples
from training.options import read_options
from training.order import arranged
from training.refresh import Refresher, in_passes
from training.rows import Row, read_rows, require_own_tools, require_toolset, rows_digest
from training.run import FINISHED, finish, require_made_on, require_same_run
from training.servable import require_servable
from training.settings import Settings, Targets

_MODULES: dict[Targets, str | list[str]] = {
    "all-linear": "all-linear",
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}
"""Layers that LoRA adapts; the names are those of the Llama and Qwen families."""


def train(
    toolset: Toolset,
    train_rows: Path,
    validation_rows: Path,
    base_model: Path,
    out: Path,
    settings: Settings,
    init_from: Path | None = None,
    save_every_s: float = SAVE_EVERY_S,
) -> Path:
    """Train and save an adapter into `out`; resumes from a checkpoint of the same run.

    A run that is finished already is left as it is.
    `init_from` is an adapter folder to go on from instead of a fresh LoRA of `settings.rank`; what
    it was made on must be `base_model`.
    A checkpoint is written every `save_every_s` seconds.

    Raises:
        RowError: a row is broken.
        ToolsetMismatch: a row was made for another toolset, or offers no tools of its own.
        TooLongError: a row does not fit `settings.max_length` tokens.
        RunMismatch: `out` holds the beginning of a run with other rows or settings, or `init_from`
            was made on another base model.
        AdapterRefused: what would be made could not be served.
        OSError: `init_from` holds no safetensors file.
    """
    keep_freed_memory()
    lora = PeftConfig.from_pretrained(str(init_from)) if init_from else lora_config(settings)
    require_servable(lora, base_model)
    learned = {"toolset": toolset.fingerprint, "base_model": weights_digest(base_model)}
    if init_from:
        require_made_on(init_from, learned["base_model"])
        learned["init_from_weights"] = weights_digest(init_from)
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    rows = {
        "train": read_learned(train_rows, toolset, settings),
        "validation": read_learned(validation_rows, toolset, settings),
    }
    made = {name: tokenize(split, toolset, settings, tokenizer) for name, split in rows.items()}
    lengths = [len(example.input_ids) for example in made["train"]]
    order = arranged(lengths, settings.batch_size, settings.epochs, settings.seed)
    refresher = Refresher(toolset, random.Random(settings.seed)) if settings.refresh else None
    shown = list(in_passes(rows["train"], order, refresher))
    chosen = asdict(settings) | {"init_from": init_from.name if init_from else None}
    data_digest = {name: rows_digest(split) for name, split in rows.items()}
    require_same_run(out, {**chosen, "data_digest": data_digest, **learned})
    if (out / FINISHED).is_file():
        return out
    checkpoints = out / "checkpoints"
    begun = last_whole(checkpoints)
    clock = ClockedCheckpoints(save_every_s, seconds_spent(begun))
    trainer = AnswerLossTrainer(
        model=_model(base_model, init_from),
        args=_arguments(settings, checkpoints),
        train_dataset=_dataset(tokenize(shown, toolset, settings, tokenizer)),
        eval_dataset=_dataset(made["validation"]),
        processing_class=tokenizer,
        peft_config=None if init_from else lora_config(settings),
        callbacks=[clock],
    )
    with disable_input_dtype_casting(cast(Any, trainer.model)):  # autocast does it, and cheaper
        trainer.train(resume_from_checkpoint=str(begun) if begun else None)
    seconds = clock.seconds
    cast(Any, trainer.model).to(torch.bfloat16)
    trainer.save_model(str(out))
    record = {
        "settings": chosen,
        **learned,
        "rows": {name: len(split) for name, split in rows.items()},
        "data_digest": data_digest,
        "tokens": {
            name: sum(len(example.input_ids) for example in split) for name, split in made.items()
        },
        "seconds": round(seconds, 1),
        "environment": environment(),
        "log": trainer.state.log_history,
    }
    finish(out, record)
    return out


def read_learned(path: Path, toolset: Toolset, settings: Settings) -> list[Row]:
    """The rows of a file or folder, as a run with these settings learns them.

    Raises:
        RowError: a row is broken.
        ToolsetMismatch: a row was made for another toolset, or offers no tools of its own.
    """
    rows = read_rows(path, toolset)
    if settings.toolset_mode == "varied":
        require_own_tools(rows, toolset)
        return rows
    require_toolset(rows, toolset)
    # Serving shows the toolset under its own name, also where a row repeats all of its tools.
    return [replace(row, offered=None) for row in rows]


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
    """The base model with the precision and the attention that train fastest where it runs."""
    # The fused attention of the CPU build spends 80 ms a layer in its backward pass at these
    # lengths, eager attention a tenth of that; on CUDA the fused one is the faster.
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=training_dtype(), attn_implementation=attention
    )


def training_dtype() -> torch.dtype:
    """bfloat16 where the machine computes with it, else float32; saved adapters are bfloat16."""
    return compute_dtype(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _dataset(made: list[Example]) -> Dataset:
    return Dataset.from_list([asdict(example) for example in made])


def lora_config(settings: Settings) -> LoraConfig:
    """The LoRA that a run with these settings begins with."""
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
        bf16=training_dtype() is torch.bfloat16,
        use_cpu=not torch.cuda.is_available(),
        eval_strategy="epoch",
        prediction_loss_only=True,
        save_strategy="no",  # the clock decides
        save_total_limit=2,
        logging_steps=10,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to="none",
        disable_tqdm=not sys.stderr.isatty(),
    )


def main() -> None:
    """Command line of this script."""
    required = ("toolset", "train", "validation", "base-model", "out")
    paths, settings = read_options(__doc__, required, Settings(), optional=("init-from",))
    toolset = Toolset.from_json(json.loads(paths["toolset"].read_text()))
    train(
        toolset, paths["train"], paths["validation"], paths["base_model"], paths["out"],
        settings, paths.get("init_from"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
