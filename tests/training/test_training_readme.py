"""The data set commands of training/README.md make a data set that training takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.cli_gateway import gateway, pointsman, support
from tests.gateway.serving import settings
from tests.training.generate.server import Server
from tests.training.imports.labelled import recorded, records
from training.check.dataset import read_splits
from training.commands.output import read_toolset
from training.rows import require_toolset

README = Path(__file__).parents[2] / "training" / "README.md"
TEACHER = "http://127.0.0.1:8001/v1"
FEW = ("--no-tool-share", "0", "--rows", "2", "--limit")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def commands() -> list[list[str]]:
    """The arguments of each `pointsman dataset` in the first block of commands."""
    (block, *_) = re.findall(r"^```\n(pointsman .*?)^```$", README.read_text(), re.M | re.S)
    lines = block.replace("\\\n", " ").splitlines()
    given = [shlex.split(line, comments=True)[1:] for line in lines]
    return [arguments for arguments in given if arguments[0] == "dataset"]


def test_the_commands_of_the_readme_lead_from_a_live_toolset_to_checked_rows(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("unseen.txt").write_text("nurse: A nurse in a hurry.\n")
    records(tmp_path / "calls.db", recorded("a"), labels={"a": "right"})
    snapshot, *others = commands()
    with gateway(settings(tmp_path, support(name="desk"), adapter=False)) as url:
        assert pointsman(*snapshot, "--url", url).code == 0
    for arguments in others:
        few = (*FEW, "15") if arguments[1] == "generate" else ()
        ran = pointsman(*(server.url if a == TEACHER else a for a in arguments), *few)
        assert ran.code == 0, (arguments, ran.out, ran.err)
    assert [arguments[1] for arguments in others[-2:]] == ["import", "check"]
    toolset = read_toolset(Path("toolset.json"))
    splits = read_splits(Path("data"), toolset)
    assert list(splits) == ["train", "validation", "test"]
    for rows in splits.values():
        require_toolset(rows, toolset)
