"""`drift --plan` and `--apply`: what is written, and what is refused."""

import json
import sys
from pathlib import Path

import pytest

from gateway.manifest import read_adapter
from tests.adapters import write_adapter
from tests.gateway.cli_gateway import gateway, pointsman, support
from tests.gateway.serving import settings

CONFIG = """
[[servers]]
name = "support"
command = "{python}"
args = ["-m", "mcp_servers.support", "--today", "2026-11-02", "--revision", "2"]
[[adapters]]
folder = "{adapter}"
toolset = "support"
"""
TRACK = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
STOCK = {"tool": "check_stock", "arguments": {"sku": "SKU-TEE44"}}
SWAP = {"tool": "exchange_item", "arguments": {}}
NEW_STOCK = {"tool": "stock_level", "arguments": {"sku": "SKU-TEE44"}}


class Circle:
    """An adapter of revision 1, a desk of revision 2, and the adapter's rows."""

    def __init__(self, folder: Path) -> None:
        self.adapter = adapter = write_adapter(folder / "adapter")
        self.config = folder / "pointsman.toml"
        self.config.write_text(CONFIG.format(python=sys.executable, adapter=adapter))
        self.data, self.out, self.plan = folder / "data", folder / "out", folder / "plan.json"
        self.stamp = read_adapter(adapter).toolset.fingerprint[:16]
        self.write("train/plain", ("Where is ORD-1234?", TRACK), ("Any SKU-TEE44?", STOCK))
        self.write("train/swaps", ("Swap it", SWAP))
        self.write("test/plain", ("Track ORD-1234", TRACK), ("ORD-1234, where?", TRACK))

    def write(self, name: str, *rows: tuple[str, object], stamp: str | None = None) -> Path:
        file = self.data / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"request": text, "target": target, "toolset": stamp or self.stamp})
            for text, target in rows
        ]
        file.write_text("\n".join(lines) + "\n")
        return file

    def drift(self, *more: str):
        return pointsman("drift", "--servers", str(self.config), "--data", str(self.data), *more)

    def rows(self, name: str) -> list[dict[str, object]]:
        text = (self.out / f"{name}.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def circle(tmp_path: Path) -> Circle:
    return Circle(tmp_path)


def test_the_rows_are_written_for_the_live_toolset_and_the_plan_says_what_is_left(circle: Circle):
    done = circle.drift("--plan", str(circle.plan), "--apply", str(circle.out))
    assert done.code == 11, done.err
    assert "3 rows hold, 1 are relabelled, 1 set aside" in done.out
    plan = json.loads(circle.plan.read_text())
    assert plan["rows"] == {"holds": 3, "relabelled": 1, "aside": 1}
    assert plan["generate"]["tools"] == [
        "request_refund", "schedule_pickup", "stock_level", "gift_wrap",
    ]  # fmt: skip
    assert [item["row"] for item in plan["aside"]] == ["train/swaps.jsonl:1"]
    assert [row["target"] for row in circle.rows("train/plain")] == [TRACK, NEW_STOCK]
    live = json.loads((circle.out / "toolset.json").read_text())["fingerprint"]
    assert {row["toolset"] for row in circle.rows("train/plain")} == {live[:16]}
    (aside,) = circle.rows("aside/train/swaps")
    assert (aside["target"], aside["why"]) == (SWAP, "exchange_item is gone")


def test_as_json_the_plan_is_part_of_the_document(circle: Circle):
    done = circle.drift("--plan", str(circle.plan), "--json")
    (adapter,) = done.json["adapters"]
    assert adapter["plan"] == json.loads(circle.plan.read_text())
    assert not circle.out.exists()


def test_so_many_rows_of_a_split_are_kept(circle: Circle):
    assert circle.drift("--apply", str(circle.out), "--keep", "test=1").code == 11
    assert len(circle.rows("test/plain")) == 1
    assert len(circle.rows("train/plain")) == 2


def test_a_folder_that_holds_something_is_left_as_it_is(circle: Circle):
    circle.out.mkdir()
    (circle.out / "mine").write_text("precious")
    done = circle.drift("--apply", str(circle.out), "--plan", str(circle.plan))
    assert done.code == 1
    assert "is there already" in done.err
    assert [file.name for file in circle.out.iterdir()] == ["mine"]
    assert not circle.plan.exists()


def test_rows_of_another_toolset_are_named_and_nothing_is_written(circle: Circle):
    circle.write("train/other", ("Where is ORD-1234?", TRACK), stamp="f" * 16)
    done = circle.drift("--apply", str(circle.out))
    assert done.code == 1
    assert "1 of 6 rows were not made for toolset" in done.err
    assert "train/other.jsonl:1" in done.err
    assert not circle.out.exists()


def test_a_broken_line_is_named(circle: Circle):
    file = circle.write("train/broken", ("Where is ORD-1234?", TRACK))
    file.write_text(file.read_text() + '{"request": "no target"}\n')
    done = circle.drift("--plan", str(circle.plan))
    assert done.code == 1
    assert "broken.jsonl:2: no row" in done.err


@pytest.mark.parametrize("keep", ["train", "train=0", "=3", "train=many", "trian=4"])
def test_a_share_that_is_no_number_of_rows_is_refused(circle: Circle, keep: str):
    done = circle.drift("--apply", str(circle.out), "--keep", keep)
    assert done.code == 1
    assert "--keep takes SPLIT=ROWS" in done.err


def test_a_plan_wants_data(circle: Circle):
    done = pointsman("drift", "--plan", str(circle.plan))
    assert done.code == 2
    assert "--data" in done.err


def test_a_server_that_does_not_list_leaves_no_plan(circle: Circle):
    circle.config.write_text(circle.config.read_text().replace(sys.executable, "/no/such/command"))
    done = circle.drift("--plan", str(circle.plan))
    assert done.code == 1
    assert "no plan without every server's tools: support: " in done.err
    assert not circle.plan.exists()


def test_a_running_gateway_s_tools_give_the_same_plan_and_rows(circle: Circle, tmp_path: Path):
    alone = circle.drift("--plan", str(circle.plan), "--apply", str(circle.out), "--json")
    plan, rows = json.loads(circle.plan.read_text()), circle.rows("train/plain")
    config = settings(tmp_path / "served", support(2), adapter=False)
    circle.out = tmp_path / "again"
    with gateway(config) as url:
        done = pointsman(
            "drift", "--url", url, "--adapter", circle.adapter, "--data", circle.data,
            "--plan", circle.plan, "--apply", circle.out, "--json",
        )  # fmt: skip
    assert (done.code, alone.code) == (11, 11), done.err
    again = json.loads(circle.plan.read_text())
    assert again["generate"].pop("command") != plan["generate"].pop("command")  # another folder
    assert again == plan
    assert circle.rows("train/plain") == rows
    (item,) = done.json["adapters"]
    assert item["plan"]["rows"] == plan["rows"]


@pytest.mark.parametrize("named", [(), ("--adapter", "support")])
def test_over_a_gateway_a_plan_wants_the_adapter_s_folder(circle: Circle, named: tuple[str, ...]):
    done = pointsman("drift", "--plan", circle.plan, "--data", circle.data, *named)
    assert done.code == 2
    assert "--adapter FOLDER" in done.err


def test_a_gateway_whose_servers_have_not_listed_gives_no_plan(circle: Circle, tmp_path: Path):
    dead = support(2).model_copy(update={"command": "/no/such/command"})
    with gateway(settings(tmp_path / "served", dead, adapter=False), listed=False) as url:
        done = pointsman(
            "drift", "--url", url, "--adapter", circle.adapter, "--data", circle.data,
            "--plan", circle.plan,
        )  # fmt: skip
    assert done.code == 1
    assert "toolset support is not listed yet" in done.err
    assert not circle.plan.exists()
