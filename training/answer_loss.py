"""The loss over the answer's tokens, with logits computed at the answer's positions alone.

A small model with a vocabulary of 49,152 spends half of a training step on logits. Answers are a
third of our tokens, so asking the model for the others (as TRL's own loss does) costs a CPU twice
the time for the same gradients.
"""

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from trl.trainer.sft_trainer import SFTTrainer

IGNORED = -100
"""The label of a token that is not trained on (PyTorch's and transformers' convention)."""


class AnswerLossTrainer(SFTTrainer):
    """TRL's trainer with a cheaper loss: mean negative log-likelihood of the answer's tokens."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The batch's loss; `inputs`: input_ids, attention_mask and labels, each (rows, tokens).

        Raises:
            NotImplementedError: outputs are asked for, which would need all logits.
        """
        if return_outputs:
            raise NotImplementedError("this loss does not build the outputs of a whole batch")
        targets = inputs["labels"][:, 1:]
        answers = targets != IGNORED
        positions = answers.any(dim=0).nonzero().squeeze(1)
        logits = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            logits_to_keep=positions,
            use_cache=False,
        ).logits
        kept = answers[:, positions]
        total = cross_entropy(logits[kept].float(), targets[:, positions][kept], reduction="sum")
        return total / (kept.sum() if num_items_in_batch is None else num_items_in_batch)
