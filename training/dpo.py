"""The optional second stage: direct preference optimisation from near misses (TRL's DPO).

    python -m training.dpo --toolset T.json --train DIR --base-model DIR --from RUN --out DIR

Goes on from the adapter of a first stage (`training.sft`), which is also the reference model.
Rafailov et al. 2023; an SFT term on the chosen answers keeps them from losing probability.
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoTokenizer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from gateway.types import Toolset
from gateway.weights import weights_digest
from training.allocator import keep_freed_memory
from training.examples import Example
from training.options import read_options
from training.preferences import Preference, preferences
from training.rows import Row, rows_digest
from training.run import FINISHED, finish, read_record, require_learned, require_same_run
from training.settings import Settings
from training.sft import load_base_model, read_learned, tokenize, training_dtype


@dataclass(frozen=True)
class SecondStage:
    """What decides the outcome besides the first stage and the rows."""

    pairs: int = 1_000
    beta: float = 0.1
    sft_weight: float = 0.2
    learning_rate: float = 5e-5
    batch_size: int = 4
    seed: int = 7


class _Trainer(DPOTrainer):
    """TRL's trainer on token ids of our own, which are those that serving asks with."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def refine(
    toolset: Toolset, train_rows: Path, base_model: Path, first: Path, out: Path, stage: SecondStage
) -> Path:
    """Train the adapter of run `first` on preference pairs of its own rows, into `out`.

    A run that is finished already is left as it is.

    Raises:
        RunMismatch: `first` learned another toolset, or on another base model, or `out` holds a
            second stage of other rows, settings or another first stage.
        RowError: a row is broken or was made for another toolset.
        TooLongError: an answer does not fit the first stage's `max_length`.
        ValueError: the rows give no pairs, or `first` learned varied tools.
    """
    keep_freed_memory()
    require_learned(first, toolset, weights_digest(base_model))
    record = read_record(first)
    settings = Settings(**{k: v for k, v in record["settings"].items() if k != "init_from"})
    if settings.toolset_mode == "varied":
        raise ValueError(f"{first} learned varied tools, and pairs are made of one toolset's rows")
    rows = read_learned(train_rows, toolset, settings)
    tokenizer = AutoTokenizer.from_pretrained(base_model)
    pairs = preferences(rows, toolset, stage.pairs, stage.seed)
    if not pairs:
        raise ValueError(f"{train_rows}: no row is nearly another, so there are no pairs")
    identity = {"first": weights_digest(first), "data_digest": rows_digest(rows)}
    require_same_run(out, {**asdict(stage), **identity})
    if (out / FINISHED).is_file():
        return out
    model: Any = PeftModel.from_pretrained(load_base_model(base_model), first, is_trainable=True)
    trainer = _Trainer(
        model=model,
        args=_arguments(stage, settings, out / "checkpoints"),
        train_dataset=Dataset.from_list(tokenized(pairs, toolset, settings, tokenizer)),
        processing_class=tokenizer,
    )
    started = time.monotonic()
    trainer.train()
    trained: Any = trainer.model
    trained.delete_adapter("ref")
    trained.to(torch.bfloat16)
    trainer.save_model(str(out))
    record["second_stage"] = {
        **asdict(stage), "made": len(pairs), "seconds": round(time.monotonic() - started, 1),
        "log": trainer.state.log_history,
    }  # fmt: skip
    record["seconds"] = round(record["seconds"] + record["second_stage"]["seconds"], 1)
    finish(out, record)
    return out


def tokenized(
    pairs: list[Preference], toolset: Toolset, settings: Settings, tokenizer: Any
) -> list[dict[str, list[int]]]:
    """`prompt_ids`, `chosen_ids` and `rejected_ids` of each pair."""

    chosen = tokenize([pair.row for pair in pairs], toolset, settings, tokenizer)
    rejected = tokenize([_answering(pair) for pair in pairs], toolset, settings, tokenizer)
    return [
        {"prompt_ids": _prompt(a), "chosen_ids": _answer(a), "rejected_ids": _answer(b)}
        for a, b in zip(chosen, rejected, strict=True)
    ]


def _answering(pair: Preference) -> Row:
    row = pair.row
    return Row(row.messages, pair.rejected, row.kind, row.voice, offered=row.offered)


def _prompt(example: Example) -> list[int]:
    return example.input_ids[: len(example.input_ids) - sum(example.completion_mask)]


def _answer(example: Example) -> list[int]:
    return example.input_ids[len(_prompt(example)) :]


def _arguments(stage: SecondStage, settings: Settings, checkpoints: Path) -> DPOConfig:
    return DPOConfig(
        output_dir=str(checkpoints),
        num_train_epochs=1,
        per_device_train_batch_size=stage.batch_size,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup,
        beta=stage.beta,
        loss_type=["sigmoid", "sft"],
        loss_weights=[1.0, stage.sft_weight],
        max_length=settings.max_length,
        precompute_ref_log_probs=True,
        gradient_checkpointing=False,
        bf16=training_dtype() is torch.bfloat16,
        use_cpu=not torch.cuda.is_available(),
        save_strategy="no",
        logging_steps=10,
        seed=stage.seed,
        report_to="none",
    )


def main() -> None:
    """Command line of this script."""
    required = ("toolset", "train", "base-model", "from", "out")
    paths, stage = read_options(__doc__, required, SecondStage())
    toolset = Toolset.from_json(json.loads(paths["toolset"].read_text()))
    refine(toolset, paths["train"], paths["base_model"], paths["from"], paths["out"], stage)


if __name__ == "__main__":
    main()
