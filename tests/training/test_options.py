"""Options of a training script: one for each setting, and what they refuse."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from training.options import read_options


@dataclass(frozen=True)
class Settings:
    """Settings of a script."""

    form: Literal["name", "full"] = "name"
    learning_rate: float = 4e-4
    rank: int = 16
    refresh: bool = True

    def __post_init__(self) -> None:
        if self.rank == 5:
            raise ValueError("rank 5: vLLM serves others")


def read(*given: str):
    return read_options(
        "A script.", ("train", "base-model"), Settings(), optional=("init-from",), given=given
    )


PATHS = ("--train", "rows", "--base-model", "base")


def test_what_is_not_given_has_the_settings_own_default():
    assert read(*PATHS) == ({"train": Path("rows"), "base_model": Path("base")}, Settings())


def test_every_setting_has_an_option_of_its_type():
    paths, settings = read(
        *PATHS, "--init-from", "run", "--form", "full", "--learning-rate", "1e-3", "--rank", "8",
        "--no-refresh",
    )  # fmt: skip
    assert paths["init_from"] == Path("run")
    assert settings == Settings("full", 1e-3, 8, False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--train", "rows"), "required: --base-model"),
        ((*PATHS, "--rank", "many"), "argument --rank: invalid int value"),
        ((*PATHS, "--form", "short"), "argument --form: invalid choice"),
        ((*PATHS, "--rank", "5"), "rank 5: vLLM serves others"),
        ((*PATHS, "--speed", "9"), "unrecognized arguments: --speed"),
    ],
)
def test_what_cannot_be_used_is_bad_usage_with_its_reason(
    given: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        read(*given)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
