"""`calls`: listing what a running gateway recorded, and labelling it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli_gateway import gateway, pointsman
from tests.gateway.serving import ASK, TRACK, desk, settings

NO_TOOL = {"tool": "no_tool", "reason": "chat"}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A gateway that has been asked twice: a call, then a no_tool."""
    with gateway(settings(tmp_path, desk(tmp_path / "desk").config()), {ASK: TRACK}) as address:
        pointsman("route", ASK, "--url", address)
        pointsman("route", "hello", "--url", address)
        yield address


def recorded(url: str, *options: str) -> list[dict[str, Any]]:
    return pointsman("calls", "list", "--url", url, "--json", *options).json["calls"]


def test_the_list_shows_what_was_asked_and_answered(url: str):
    ran = pointsman("calls", "list", "--url", url)
    assert (ran.code, ran.err) == (0, "")
    newest, oldest = (line for line in ran.out.splitlines() if line.startswith("route_"))
    assert "no_tool" in newest
    assert '"hello"' in newest
    assert ASK in oldest
    assert "track_order" in oldest


def test_the_list_is_narrowed(url: str):
    assert [call["outcome"] for call in recorded(url, "--outcome", "call")] == ["call"]
    assert [call["outcome"] for call in recorded(url, "--limit", "1")] == ["no_tool"]
    assert recorded(url, "--labelled") == []


def test_an_empty_list_says_so(tmp_path: Path):
    with gateway(settings(tmp_path, adapter=False)) as url:
        assert pointsman("calls", "list", "--url", url).out == "no calls are recorded\n"


@pytest.mark.parametrize(
    ("target", "kept"),
    [("right", "right"), ("wrong", "wrong"), (json.dumps(TRACK), TRACK), ('"right"', "right")],
)
def test_a_call_is_labelled(url: str, target: str, kept: Any):
    call_id = recorded(url)[0]["id"]
    ran = pointsman("calls", "label", call_id, target, "--url", url)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"call {call_id}: ")
    assert [call["label"] for call in recorded(url, "--labelled")] == [kept]
    assert pointsman("calls", "list", "--url", url).code == 0


def test_a_label_is_told_as_json(url: str):
    call_id = recorded(url)[0]["id"]
    ran = pointsman("calls", "label", call_id, json.dumps(NO_TOOL), "--url", url, "--json")
    assert ran.json == {"id": call_id, "label": NO_TOOL}


def test_a_target_that_is_neither_a_word_nor_json_ends_with_2(url: str):
    ran = pointsman("calls", "label", "route_1", "maybe", "--url", url)
    assert (ran.code, ran.out) == (2, "")
    assert "right, wrong, or JSON" in ran.complaint


@pytest.mark.parametrize("call_id", ["absent", "a/b", "ä"])
def test_an_unknown_call_ends_with_1(url: str, call_id: str):
    ran = pointsman("calls", "label", call_id, "right", "--url", url)
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaint


def test_a_target_that_breaks_the_schema_is_told_with_its_pointer(url: str):
    target = json.dumps({"tool": "track_order", "arguments": {"order_id": "12"}})
    ran = pointsman("calls", "label", recorded(url)[0]["id"], target, "--url", url)
    assert ran.code == 1
    assert "/order_id" in ran.complaint
