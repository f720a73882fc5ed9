"""The cheap loss gives the loss and the gradients of the plain one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")
pytest.importorskip("trl")

from datasets import Dataset  # noqa: E402
from trl.trainer.sft_config import SFTConfig  # noqa: E402

from training.answer_loss import IGNORED, AnswerLossTrainer, worth_sharing  # noqa: E402

BASE_MODEL = Path(__file__).parents[2] / ".models" / "smollm2-135m-instruct"


def small_model() -> Any:
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


@pytest.fixture
def trainer(tmp_path: Path) -> AnswerLossTrainer:
    if not BASE_MODEL.is_dir():
        pytest.skip("the base model is not prepared; `make test` does that")
    row = {"input_ids": [1, 2, 3, 4], "completion_mask": [0, 0, 1, 1]}
    return AnswerLossTrainer(
        model=small_model(),
        args=SFTConfig(output_dir=str(tmp_path), report_to="none", use_cpu=True, bf16=False),
        train_dataset=Dataset.from_list([row] * 2),
        processing_class=transformers.AutoTokenizer.from_pretrained(BASE_MODEL),
    )


def batch() -> dict[str, Any]:
    """Two rows, answers at different places, the second padded."""
    torch.manual_seed(5)
    ids = torch.randint(1, 97, (2, 12))
    labels = torch.full((2, 12), IGNORED)
    labels[0, 8:] = ids[0, 8:]
    labels[1, 3:6] = ids[1, 3:6]
    mask = torch.ones(2, 12, dtype=torch.long)
    mask[1, 6:] = 0
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def batch_with_a_common_beginning() -> dict[str, Any]:
    """The same rows behind five tokens that they share, as behind a system message."""
    made = batch()
    beginning = torch.arange(7, 12).repeat(2, 1)
    return {
        "input_ids": torch.cat([beginning, made["input_ids"]], dim=1),
        "attention_mask": torch.cat([torch.ones_like(beginning), made["attention_mask"]], dim=1),
        "labels": torch.cat([torch.full_like(beginning, IGNORED), made["labels"]], dim=1),
    }


def rows_alike_up_to_the_answer() -> dict[str, Any]:
    """Nothing but the answers differ, and one row answers where the other still asks."""
    made = batch_with_a_common_beginning()
    made["input_ids"][1, :9] = made["input_ids"][0, :9]
    return made


def gradients(model: Any) -> dict[str, Any]:
    return {name: part.grad.clone() for name, part in model.named_parameters()}


@pytest.mark.parametrize(
    "made", [batch, batch_with_a_common_beginning, rows_alike_up_to_the_answer]
)
def test_loss_and_gradients_equal_those_of_all_logits(
    trainer: AnswerLossTrainer, made: Callable[[], dict[str, Any]]
):
    model: Any = trainer.model
    plain = model(**made()).loss
    plain.backward()
    wanted = gradients(model)
    model.zero_grad()
    cheap = trainer.compute_loss(model, made())
    cheap.backward()
    assert cheap.item() == pytest.approx(plain.item(), rel=1e-5)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, wanted[name], atol=1e-6), name


def test_what_rows_share_is_computed_once_where_that_saves_time():
    assert [worth_sharing(saved, "cpu") for saved in (0, 1)] == [False, True]
    assert [worth_sharing(saved, "cuda") for saved in (4_095, 4_096)] == [False, True]


def test_the_sum_is_divided_by_the_tokens_of_all_accumulated_batches(trainer: AnswerLossTrainer):
    mean = trainer.compute_loss(trainer.model, batch())
    assert trainer.compute_loss(
        trainer.model, batch(), num_items_in_batch=14
    ).item() == pytest.approx(mean.item() / 2, rel=1e-5)


def test_outputs_of_a_whole_batch_are_refused(trainer: AnswerLossTrainer):
    with pytest.raises(NotImplementedError, match="outputs"):
        trainer.compute_loss(trainer.model, batch(), return_outputs=True)
