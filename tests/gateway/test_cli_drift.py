"""`drift`: what is shown of a drifted toolset, and the exit code of every grade."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.drift import GRADES
from gateway.manifest import read_adapter
from gateway.types import Toolset
from tests.adapters import support_toolset, write_adapter
from tests.gateway.cli_gateway import gateway, pointsman, support
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
