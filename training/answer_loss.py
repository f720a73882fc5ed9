"""The loss over the answer's tokens, at the price of what differs between the rows of a batch.

Two savings, the same gradients:

- logits are computed at the answer's positions alone. A small model with a vocabulary of 49,152
  spends half of a training step on logits, and answers are a third of our tokens;
- what all rows of a batch begin with (the system message with the toolset) is computed once, and
  its keys and values are shared. That is a quarter of our tokens where the prompt holds the
  toolset's name alone, and nearly all of them where it holds every schema. It takes a second pass
  through the layers. On a GPU a pass over few tokens is bound by launching its kernels, so there it
  must save many (how many is a guess, not measured).
"""

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import DynamicCache
from trl.trainer.sft_trainer import SFTTrainer

IGNORED = -100
"""The label of a token that is not trained on (PyTorch's and transformers' convention)."""

_WORTH_A_PASS = 4_096
"""Tokens of a batch that sharing must save on a GPU."""


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
        logits = _logits(model, inputs["input_ids"], inputs["attention_mask"], positions)
        kept = answers[:, positions]
        total = cross_entropy(logits[kept].float(), targets[:, positions][kept], reduction="sum")
        return total / (kept.sum() if num_items_in_batch is None else num_items_in_batch)


def _logits(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """Logits at `positions`, (rows, positions, vocabulary); rows are padded on the right."""
    shared = min(_common_prefix(ids), int(positions[0]))
    if not worth_sharing(shared * (len(ids) - 1), ids.device.type):
        return model(
            input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=positions
        ).logits
    cache = DynamicCache(config=model.config)
    model(input_ids=ids[:1, :shared], past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.batch_repeat_interleave(len(ids))
    return model(
        input_ids=ids[:, shared:],
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=positions - shared,
    ).logits


def worth_sharing(saved: int, device: str) -> bool:
    """Whether so many tokens saved are worth a second pass; a processor gains from each."""
    return saved >= (1 if device == "cpu" else _WORTH_A_PASS)


def _common_prefix(ids: torch.Tensor) -> int:
    """How many tokens all rows begin with."""
    differing = (ids != ids[:1]).any(dim=0).nonzero()
    return int(differing[0]) if len(differing) else ids.shape[1]
