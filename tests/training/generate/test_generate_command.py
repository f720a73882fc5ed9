"""`dataset generate` and a real endpoint on this machine: what it writes, says, ends with."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner, Result

from tests.adapters import SUPPORT
from tests.gateway.cli_gateway import unused_port
from tests.training.generate.endpoint import KEY, completion, fresh_rows
from tests.training.generate.server import Server
from training.commands import dataset_generate
from training.commands.output import TEACHER_KEY


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def run(out: Path, url: str, *arguments: str, **environ: str) -> Result:
    app, datasets = typer.Typer(), typer.Typer()
    datasets.callback()(lambda: None)
    dataset_generate.mount(datasets)
    app.add_typer(datasets, name="dataset")
    given = ["--toolset", str(SUPPORT), "--teacher", url, "--model", "large", "--out", str(out)]
    clean = {TEACHER_KEY: None}
    return CliRunner().invoke(
        app, ["dataset", "generate", *given, *arguments], env={**clean, **environ}
    )


ONE_SORT = ("--no-tool-share", "0", "--limit")


def test_a_run_writes_rows_and_tells_them_tokens_and_cost(tmp_path: Path, server: Server):
    out = tmp_path / "data"
    prices = ("--price-in", "1", "--price-out", "5")
    ran = run(out, server.url, *ONE_SORT, "24", *prices, "--json", POINTSMAN_TEACHER_KEY=KEY)
    assert ran.exit_code == 0, ran.output
    value = json.loads(ran.stdout)
    assert (value["tasks"], value["done"], value["failed"]) == (24, 24, 0)
    assert value["rows"] + sum(value["rejected"].values()) == 48
    assert (value["prompt_tokens"], value["completion_tokens"], value["cost"]) == (
        2400,
        480,
        0.0048,
    )
    assert value["file"] == str(out / "rows.jsonl")
    assert len((out / "rows.jsonl").read_text().splitlines()) == value["rows"] > 0
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in ran.output
    assert all(KEY not in file.read_text() for file in out.iterdir())
    assert ran.stderr.splitlines() == ["tasks: 0 of 24", "tasks: 20 of 24", "tasks: 24 of 24"]


def test_without_json_a_person_reads_counts_and_reasons(tmp_path: Path, server: Server):
    ran = run(tmp_path, server.url, *ONE_SORT, "24")
    assert ran.exit_code == 0, ran.output
    first, second = ran.stdout.splitlines()
    assert "rows from 24 of 24 tasks, 2400 + 480 tokens" in first
    assert second.startswith(f"{tmp_path / 'rejected.jsonl'}: ")
    assert "off_task" in second


def test_the_same_command_goes_on_and_another_plan_is_refused(tmp_path: Path, server: Server):
    assert run(tmp_path, server.url, *ONE_SORT, "20").exit_code == 0
    asked = len(server.bodies)
    ran = run(tmp_path, server.url, *ONE_SORT, "24", "--json")
    assert (len(server.bodies) - asked, json.loads(ran.stdout)["done"]) == (4, 24)
    other = run(tmp_path, server.url, *ONE_SORT, "24", "--seed", "8")
    assert (other.exit_code, len(other.stderr.splitlines())) == (1, 1)
    assert "of another run, with seed 7 and not 8" in other.stderr


def test_voices_conventions_and_members_reach_the_teacher(tmp_path: Path, server: Server):
    voices, rules = tmp_path / "voices.txt", tmp_path / "rules.txt"
    voices.write_text("nurse: A nurse in a hurry.\n")
    rules.write_text("Never say please.\n")
    given = ("--voices", str(voices), "--conventions", str(rules), "--body", '{"temperature": 1}')
    run(tmp_path / "data", server.url, "--limit", "1", *given)
    (body,) = server.bodies
    system, user = (message["content"] for message in body["messages"])
    assert (body["model"], body["temperature"]) == ("large", 1)
    assert "Never say please." in system
    assert "Voice: A nurse in a hurry." in user
    assert server.keys == [None]


def test_a_key_may_come_from_a_variable_of_another_name(tmp_path: Path, server: Server):
    run(tmp_path, server.url, "--limit", "1", "--key-env", "MY_KEY", MY_KEY=KEY)
    assert server.keys == [f"Bearer {KEY}"]
    ran = run(tmp_path, server.url, "--key-env", "NO_SUCH_KEY")
    assert (ran.exit_code, "NO_SUCH_KEY is not set" in ran.stderr) == (2, True)


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(401, json={"error": {"message": f"bad key {KEY}"}}),
         "answers 401: bad key [key]"),
        (httpx.Response(429, headers={"retry-after": "0"}), "answers 429: (empty) (asked 2 times)"),
        (completion("Certainly! Tell me more."), "3 answers in a row hold no rows; large wrote"),
        (httpx.Response(400, json={"error": f"no {KEY}"}),
         "3 answers in a row hold no rows; large answers 400: no [key]"),
    ],
)  # fmt: skip
def test_a_teacher_that_fails_is_one_line_and_the_key_is_not_in_it(
    tmp_path: Path, server: Server, response: httpx.Response, said: str
):
    server.answer = lambda _: response
    arguments = ("--attempts", "2", "--concurrency", "1")
    ran = run(tmp_path, server.url, *arguments, POINTSMAN_TEACHER_KEY=KEY)
    *_, complaint = ran.stderr.splitlines()
    assert ran.exit_code == 1
    assert complaint.startswith("pointsman: ")
    assert said in complaint
    assert KEY not in ran.output


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path):
    port = unused_port()
    ran = run(tmp_path, f"http://127.0.0.1:{port}/v1", "--attempts", "1", "--json")
    assert ran.exit_code == 1
    assert f"the teacher at 127.0.0.1:{port} cannot be reached" in json.loads(ran.stdout)["detail"]


def test_tasks_without_rows_end_with_1_and_a_count(tmp_path: Path, server: Server):
    good, answers = fresh_rows(), iter([completion("")])
    server.answer = lambda body: next(answers, None) or good(body)
    ran = run(tmp_path, server.url, *ONE_SORT, "20", "--json")
    value = json.loads(ran.stdout)
    assert (ran.exit_code, value["failed"], value["done"]) == (1, 1, 19)
    assert "1 of 20 tasks got no rows and are asked again by the same command" in ran.stderr


def test_a_run_of_which_no_row_passes_ends_with_1(tmp_path: Path, server: Server):
    unknown = {"tool": "fly", "arguments": {}}
    server.answer = lambda _: completion(json.dumps({"request": "hello", "target": unknown}))
    ran = run(tmp_path, server.url, "--limit", "1")
    assert ran.exit_code == 1
    assert "no row passed the checks" in ran.stderr
    assert "1 schema" in ran.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--price-in", "1"),
        ("--body", "[]"),
        ("--body", "{"),
        ("--rows", "0"),
        ("--limit", "0"),
        ("--concurrency", "0"),
        ("--no-tool-share", "1"),
    ],
)
def test_bad_usage_ends_with_2_and_asks_nothing(
    tmp_path: Path, server: Server, arguments: tuple[str, ...]
):
    assert run(tmp_path, server.url, *arguments).exit_code == 2
    assert server.bodies == []
