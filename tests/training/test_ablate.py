"""The ablation: one change at a time, the same rows for the same seed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.types import Message

pytest.importorskip("trl")

from tests.training.tiny import BASE_MODEL
from training.ablate import BASELINE, VARIANTS, folder_of, left, sample, table
from training.rows import Row
from training.servable import require_servable
from training.settings import Settings
from training.sft import lora_config

OF_ROWS = {"no_tool_share", "second_stage"}
CALL = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
NONE = {"tool": "no_tool", "reason": "chat"}
ROWS = [
    Row((Message("user", f"{n}"),), CALL if n % 4 else NONE, "call" if n % 4 else "chat", "v")
    for n in range(400)
]


def result(variant: str, seed: int, exact: float) -> dict[str, Any]:
    shares = {"tool_name_accuracy": 0.9, "argument_match_accuracy": 0.8, "wrong_call_rate": 0.1}
    return {"variant": variant, "seed": seed, "exact": exact, "seconds": 600.0, **shares}


def fields_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a variant."""
    return {**vars(BASELINE), **{k: v for k, v in changes.items() if k not in OF_ROWS}}


def test_every_variant_differs_from_the_baseline_in_settings_that_exist():
    for name, changes in VARIANTS.items():
        made = Settings(**fields_of(changes))
        assert (made != BASELINE) == bool(changes.keys() - OF_ROWS), name


def test_variants_can_be_named_on_the_command_line_and_have_folders_apart():
    assert not any("," in name for name in VARIANTS)
    assert len({folder_of(Path(), name, 7).name for name in VARIANTS}) == len(VARIANTS)


@pytest.mark.skipif(not BASE_MODEL.is_dir(), reason="the base model is not prepared")
def test_what_a_variant_makes_could_be_served():
    made = {Settings(**fields_of(changes)) for changes in VARIANTS.values()}
    for rank, targets in {(settings.rank, settings.target_modules) for settings in made}:
        require_servable(lora_config(Settings(rank=rank, target_modules=targets)), BASE_MODEL)


def test_a_sample_has_the_wanted_share_and_repeats_for_the_same_seed():
    chosen = sample(ROWS, 200, 0.3, 7)
    assert len(chosen) == 200
    assert sum(not row.calls for row in chosen) == 60
    assert chosen == sample(ROWS, 200, 0.3, 7)
    assert chosen != sample(ROWS, 200, 0.3, 8)


def test_each_run_is_made_once_and_those_with_a_result_never_again():
    results = [result("baseline", 7, 0.5)]
    names = ["rank 8", "baseline", "rank 8"]
    assert left(names, [7, 8, 7], results) == [("rank 8", 7), ("rank 8", 8), ("baseline", 8)]
    assert left(["baseline"], [7], results) == []


def test_too_few_rows_of_a_sort_are_named():
    with pytest.raises(ValueError, match="150 no_tool and 150 call rows wanted"):
        sample(ROWS, 300, 0.5, 7)


def test_the_table_gives_each_seed_and_ranks_by_the_mean():
    lines = table(
        [result("baseline", 8, 0.72), result("baseline", 7, 0.7), result("rank 8", 7, 0.8)]
    ).splitlines()
    assert lines[2].startswith("| rank 8 | 80.0 | 80.0 | 90.0 | 80.0 | 10.0 | 10 |")
    assert lines[3].startswith("| baseline | 70.0, 72.0 | 71.0 |")
