"""`drift`: what is shown of a drifted toolset, and the exit code of every grade."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ServerConfig
from gateway.drift import GRADES
from gateway.engines.scripted import ScriptedEngine
from gateway.impact.replay import kept_proposals, replay
from gateway.impact.rows import read_eval_rows
from gateway.manifest import read_adapter
from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.gateway.cli_gateway import PATIENCE_S, gateway, pointsman, support
from tests.gateway.one_at_a_time import OneAtATime
from tests.gateway.serving import desk, settings, tell_desk
from tests.gateway.toolsets.upstream_doubles import Script

Wire = dict[str, Any]
SCHEMA: Wire = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
TRAINED: Wire = {"name": "find", "description": "Find an order by id.", "inputSchema": SCHEMA}
KEPT: Wire = {"name": "keep", "description": "Never changes.", "inputSchema": {"type": "object"}}


def with_argument(required: bool) -> Wire:
    properties = {**SCHEMA["properties"], "day": {"type": "string"}}
    names = ["id", "day"] if required else ["id"]
    return TRAINED | {"inputSchema": SCHEMA | {"properties": properties, "required": names}}


CASES: list[tuple[str, list[Wire], int]] = [
    ("none", [TRAINED], 0),
    ("notation", [TRAINED | {"inputSchema": SCHEMA | {"title": "Find"}}], 0),
    ("description", [TRAINED | {"description": "Find something."}], 10),
    ("compatible", [with_argument(required=False)], 10),
    ("added", [TRAINED, TRAINED | {"name": "fly", "description": "Up."}], 10),
    ("breaking", [with_argument(required=True)], 11),
    ("renamed", [TRAINED | {"name": "find_order"}], 11),
    ("removed", [], 11),
]


def find_adapter(folder: Path, name: str = "support") -> Path:
    toolset = Toolset.from_json({"name": "support", "tools": [TRAINED, KEPT]})
    return write_adapter(folder, toolset, name=name)


def serving_find(tmp_path: Path, *live: Wire, adapter: bool = True) -> Any:
    """A gateway with the two tools in whatever form they have now."""
    script = Script(tmp_path / "script")
    script.tell_pages([*live, KEPT])
    found = {"adapters": ({"folder": find_adapter(tmp_path / "adapter")},)} if adapter else {}
    return gateway(settings(tmp_path, script.config(), adapter=False, **found))


def test_every_grade_has_a_case():
    assert [grade for grade, _, _ in CASES] == list(GRADES)


@pytest.mark.parametrize(("grade", "live", "code"), CASES)
def test_the_exit_code_is_the_grade(tmp_path: Path, grade: str, live: list[Wire], code: int):
    with serving_find(tmp_path, *live) as url:
        told = pointsman("drift", "--url", url)
        asked = pointsman("drift", "--url", url, "--json")
    assert (told.code, asked.code) == (code, code)
    assert told.err == ""
    assert f"on toolset support: {grade}" in told.out
    assert [item["grade"] for item in asked.json["adapters"]] == [grade]


def test_an_adapter_trained_on_varied_tools_never_drifts(tmp_path: Path):
    prompt = {"form": "lines"}
    general = write_adapter(tmp_path / "adapter", toolset_mode="varied", prompt=prompt)
    script = desk(tmp_path / "desk", 2)
    config = settings(tmp_path, script.config(), adapter=False, adapters=[{"folder": general}])
    with gateway(config) as url:
        in_service = pointsman("drift", "--url", url)
        as_folder = pointsman("drift", "--adapter", general, "--url", url, "--json")
    assert (in_service.code, as_folder.code) == (0, 0)
    assert "on toolset support: none, it is asked with whatever is on offer" in in_service.out
    (item,) = as_folder.json["adapters"]
    assert (item["toolset_mode"], item["grade"], item["tools"]) == ("varied", "none", [])


def test_each_change_is_shown_with_pointer_before_and_after(tmp_path: Path):
    config = settings(tmp_path, support(2))
    with gateway(config) as url:
        ran = pointsman("drift", "--url", url)
    assert ran.code == 11
    assert "  exchange_item: removed\n" in ran.out
    assert "  check_stock: renamed to stock_level\n" in ran.out
    assert "  gift_wrap: added\n" in ran.out
    window = ran.out.split("/inputSchema/properties/window/enum (breaking): ")[1].split("\n")[0]
    before, after = window.split(" -> ")
    assert "evening" in before
    assert "evening" not in after
    assert "/inputSchema/properties/currency (breaking)" in ran.out


def test_a_long_text_is_shown_on_a_line_before_and_a_line_after(tmp_path: Path):
    with serving_find(tmp_path, TRAINED | {"description": "long " * 30}) as url:
        ran = pointsman("drift", "--url", url)
    assert '      - "Find an order by id."\n      + "long long' in ran.out


def test_a_toolset_that_drifts_while_the_gateway_runs_is_seen(tmp_path: Path):
    script = desk(tmp_path / "desk")
    with gateway(settings(tmp_path, script.config())) as url:
        assert pointsman("drift", "--url", url).code == 0
        tell_desk(script, 2)
        pointsman("servers", "refresh", "script", "--url", url)
        assert pointsman("drift", "--url", url).code == 11


NAMES: list[Callable[[Path], object]] = [
    lambda _: "mild",
    lambda folder: read_adapter(folder).version,
    lambda folder: folder,
]


@pytest.mark.parametrize("named", NAMES, ids=["name", "version", "folder"])
def test_one_adapter_is_picked_by_name_version_or_folder(
    tmp_path: Path, named: Callable[[Path], object]
):
    mild = write_adapter(tmp_path / "mild", name="mild")
    harmed = find_adapter(tmp_path / "harmed", name="harmed")
    both = [{"folder": folder, "toolset": "support"} for folder in (mild, harmed)]
    config = settings(tmp_path, desk(tmp_path / "desk").config(), adapter=False, adapters=both)
    with gateway(config) as url:
        ran = pointsman("drift", "--adapter", named(mild), "--url", url, "--json")
        assert pointsman("drift", "--url", url).code == 11
    assert ran.code == 0
    assert [item["adapter"] for item in ran.json["adapters"]] == [read_adapter(mild).version]


def test_a_folder_need_not_be_in_service(tmp_path: Path):
    with serving_find(tmp_path, with_argument(required=True), adapter=False) as url:
        ran = pointsman("drift", "--adapter", find_adapter(tmp_path / "new"), "--url", url)
    assert ran.code == 11
    assert "/inputSchema/properties/day (breaking)" in ran.out


@pytest.mark.parametrize("adapter", ["sales", "support@00000000", "./absent"])
def test_an_adapter_that_is_nowhere_ends_with_2(tmp_path: Path, adapter: str):
    with serving_find(tmp_path, TRAINED) as url:
        ran = pointsman("drift", "--adapter", adapter, "--url", url)
    assert (ran.code, ran.out) == (2, "")
    assert ran.complaint


def test_without_an_adapter_in_service_it_cannot_be_told(tmp_path: Path):
    with serving_find(tmp_path, TRAINED, adapter=False) as url:
        ran = pointsman("drift", "--url", url)
    assert ran.code == 2
    assert "no adapter is in service" in ran.complaint


def test_a_toolset_that_the_gateway_lacks_cannot_be_told(tmp_path: Path):
    other = write_adapter(tmp_path / "other", Toolset("other", support_toolset().tools))
    with serving_find(tmp_path, TRAINED) as url:
        ran = pointsman("drift", "--adapter", other, "--url", url)
    assert ran.code == 2
    assert "no toolset 'other'" in ran.complaint


@pytest.mark.parametrize("picks_folder", [False, True])
def test_a_toolset_that_was_never_listed_cannot_be_told(tmp_path: Path, picks_folder: bool):
    script = Script(tmp_path / "script")
    dead = script.config().model_copy(update={"command": "/no/such/command"})
    with gateway(settings(tmp_path, dead), listed=False) as url:
        picked = ("--adapter", tmp_path / "adapter") if picks_folder else ()
        ran = pointsman("drift", *picked, "--url", url)
    assert ran.code == 2
    assert "cannot be told yet" in ran.out
    assert "has listed its tools yet" in ran.complaint


def servers_file(folder: Path, *servers: ServerConfig, **more: Any) -> Path:
    file = folder / "servers.json"
    file.write_text(json.dumps({"servers": [s.stored() for s in servers], **more}, default=str))
    return file


def listing(folder: Path, *tools: Wire) -> ServerConfig:
    script = Script(folder)
    script.tell_pages([*tools])
    return script.config()


@pytest.mark.parametrize(("grade", "live", "code"), CASES)
def test_servers_are_asked_without_a_gateway(
    tmp_path: Path, grade: str, live: list[Wire], code: int
):
    file = servers_file(tmp_path, listing(tmp_path / "desk", *live, KEPT))
    folder = find_adapter(tmp_path / "adapter")
    told = pointsman("drift", "--adapter", folder, "--servers", file)
    asked = pointsman("drift", "--adapter", folder, "--servers", file, "--json")
    assert (told.code, asked.code) == (code, code), told.err
    assert f"on toolset support: {grade}" in told.out
    assert [item["grade"] for item in asked.json["adapters"]] == [grade]


def test_the_adapters_of_the_file_are_compared_by_their_own_toolsets(tmp_path: Path):
    desk_server = listing(tmp_path / "desk", TRAINED, KEPT)
    other = Script(tmp_path / "other")
    other.tell_pages([TRAINED | {"name": "elsewhere", "description": "Not ours."}])
    config = other.config().model_copy(update={"name": "other"})
    file = servers_file(
        tmp_path, desk_server, config,
        toolsets=[{"name": "support", "servers": [desk_server.name]}],
        adapters=[{"folder": str(find_adapter(tmp_path / "adapter"))}],
    )  # fmt: skip
    ran = pointsman("drift", "--servers", file, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["adapters"][0]["tools"] == []


def test_an_adapter_named_on_the_command_line_keeps_what_the_file_says_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server = listing(tmp_path / "desk", TRAINED, KEPT)
    find_adapter(tmp_path / "adapter")
    file = servers_file(
        tmp_path, server,
        toolsets=[{"name": "half", "servers": [server.name], "tools": ["keep"]}],
        adapters=[{"folder": "adapter", "toolset": "half"}],
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    ran = pointsman("drift", "--adapter", "./adapter", "--servers", file, "--json")
    (item,) = ran.json["adapters"]
    assert (item["toolset"], item["grade"]) == ("half", "removed")


def test_a_server_that_cannot_be_reached_is_named_and_hides_no_harm(tmp_path: Path):
    gone = ServerConfig(name="gone", command="/nowhere/at-all")
    folder = find_adapter(tmp_path / "adapter")
    unknown = servers_file(tmp_path, listing(tmp_path / "desk", KEPT), gone)
    ran = pointsman("drift", "--adapter", folder, "--servers", unknown)
    assert ran.code == 2
    assert "gone: server gone cannot be used" in ran.out
    assert "removed" not in ran.out
    broken = listing(tmp_path / "broken", with_argument(required=True), KEPT)
    harmful = servers_file(tmp_path, broken, gone)
    assert pointsman("drift", "--adapter", folder, "--servers", harmful).code == 11


def test_what_cannot_be_compared_is_said(tmp_path: Path):
    file = servers_file(tmp_path, listing(tmp_path / "desk", KEPT))
    assert "names no adapter" in pointsman("drift", "--servers", file).complaint
    empty = servers_file(tmp_path)
    folder = find_adapter(tmp_path / "adapter")
    ran = pointsman("drift", "--adapter", folder, "--servers", empty)
    assert "names no servers" in ran.complaint
    ran = pointsman("drift", "--measure", "--adapter", folder)
    assert (ran.code, "--servers" in ran.complaint) == (2, True)
    ran = pointsman("drift", "--servers", tmp_path / "none.toml", "--adapter", folder)
    assert ran.code == 2


async def kept(folder: Path, name: str) -> None:
    """The proposals of an adapter's rows, as an earlier measurement leaves them."""
    adapter = read_adapter(folder)
    rows = read_eval_rows(adapter)
    engine = ScriptedEngine({r.text: r.calls[0].as_dict() for r in rows})
    await engine.load(adapter.version, folder)
    await replay(engine, adapter, rows, kept_proposals(Path(name), adapter, len(rows)))


def test_the_cost_of_a_drift_is_measured_from_kept_proposals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = find_adapter(tmp_path / "adapter")
    targets = [{"tool": "find", "arguments": {"id": f"ORD-{n}"}} for n in range(4)]
    rows = [{"request": f"where is ORD-{n}", "target": t} for n, t in enumerate(targets)]
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    asyncio.run(kept(folder, ".pointsman/impact"))
    file = servers_file(tmp_path, listing(tmp_path / "desk", KEPT))
    told = pointsman("drift", "--adapter", folder, "--servers", file, "--measure")
    asked = pointsman("drift", "--adapter", folder, "--servers", file, "--measure", "--json")
    assert (told.code, asked.code) == (11, 11), told.err
    assert "measured: exact 100.0 % -> 0.0 %; find 100 -> 0 (of 4 rows)" in told.out
    (item,) = asked.json["adapters"]
    assert item["impact"]["policy"]["exact"] == item["impact"]["drifted"]["exact"]
    assert len(item["impact"]["flipped"]) == 4


def test_an_adapter_that_cannot_drift_is_not_measured(tmp_path: Path):
    folder = write_adapter(tmp_path / "adapter", toolset_mode="varied", prompt={"form": "lines"})
    file = servers_file(tmp_path, listing(tmp_path / "desk", KEPT))
    ran = pointsman("drift", "--adapter", folder, "--servers", file, "--measure")
    assert (ran.code, "no drift to measure" in ran.complaint) == (1, True)


@pytest.mark.parametrize("rows", [3, 0])
def test_what_a_gateway_measures_is_shown_while_it_does_and_why_if_it_cannot(
    tmp_path: Path, rows: int
):
    folder = find_adapter(tmp_path / "adapter")
    row = json.dumps({"request": "hello", "target": {"tool": "no_tool", "reason": "chat"}})
    (folder / "eval.jsonl").write_text("\n".join([row] * rows))
    script = Script(tmp_path / "script")
    script.tell_pages([KEPT])
    measure = {"folder": tmp_path / "impact", "quiet_s": 0}
    config = settings(
        tmp_path, script.config(), adapter=False, adapters=({"folder": folder},),
        engine={"kind": "scripted"}, drift={"measure": measure},
    )  # fmt: skip
    wanted = "measuring: 0 of 3 rows asked" if rows else "not measured: "
    deadline = time.monotonic() + PATIENCE_S
    with gateway(config, engine=OneAtATime({})) as url:
        while wanted not in (told := pointsman("drift", "--url", url).out):
            assert time.monotonic() < deadline, told
    assert ("no rows to measure with" in told) == (not rows)
