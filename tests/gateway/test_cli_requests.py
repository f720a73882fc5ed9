"""`route`, `call` and `tools` against a real gateway with the order desk behind it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.cli_gateway import gateway, pointsman, support
from tests.gateway.serving import ASK, TRACK, settings
from tests.gateway.toolsets.upstream_doubles import Script

UNKNOWN_ORDER = "where is ORD-9999?"
ANSWERS: dict[str, Any] = {
    ASK: TRACK,
    UNKNOWN_ORDER: {"tool": "track_order", "arguments": {"order_id": "ORD-9999"}},
    "where is my order?": TRACK,
    "tell me a joke": {"tool": "no_tool", "reason": "not about an order"},
    "garble": "no JSON at all",
    "where is order 12, ORD-1?": {"tool": "track_order", "arguments": {"order_id": "ORD-1"}},
}
NOT_CALLED = [
    ("tell me a joke", (), "no_tool", None),
    ("where is my order?", (), "abstained", "not_grounded"),
    (ASK, ("--threshold", "0.99"), "abstained", "low_confidence"),
    ("garble", (), "invalid", "parse"),
    ("where is order 12, ORD-1?", (), "invalid", "schema"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    config = settings(tmp_path_factory.mktemp("gateway"), support(), adapter=True)
    with gateway(config, ANSWERS) as address:
        yield address


def test_a_routed_call_is_shown_and_ends_with_0(url: str):
    ran = pointsman("route", ASK, "--url", url)
    assert (ran.code, ran.err) == (0, "")
    assert 'track_order {"order_id": "ORD-1234"}' in ran.out
    assert "confidence 0.88" in ran.out


def test_route_prints_the_whole_reply_as_json(url: str):
    ran = pointsman("route", ASK, "--url", url, "--json")
    assert ran.code == 0
    assert ran.json["outcome"] == "call"
    assert ran.json["call"] == TRACK
    assert ran.json["results"] is None


@pytest.mark.parametrize(("text", "options", "outcome", "reason_code"), NOT_CALLED)
def test_what_is_not_called_ends_with_3(
    url: str, text: str, options: tuple[str, ...], outcome: str, reason_code: str | None
):
    told = pointsman("route", text, *options, "--url", url)
    assert (told.code, told.err) == (3, "")
    assert told.out.startswith(outcome)
    asked = pointsman("route", text, *options, "--url", url, "--json")
    assert asked.code == 3
    assert (asked.json["outcome"], asked.json["reason_code"]) == (outcome, reason_code)


def test_a_withheld_proposal_is_shown(url: str):
    ran = pointsman("route", "where is my order?", "--url", url)
    assert 'withheld: track_order {"order_id": "ORD-1234"}' in ran.out


def test_dispatch_shows_what_the_tool_answered(url: str):
    ran = pointsman("route", ASK, "--dispatch", "--url", url)
    assert ran.code == 0
    assert "ORD-1234" in ran.out.split("\n", 2)[2]
    assert len(pointsman("route", ASK, "--dispatch", "--url", url, "--json").json["results"]) == 1


def test_a_dispatched_tool_that_fails_ends_with_1(url: str):
    ran = pointsman("route", UNKNOWN_ORDER, "--dispatch", "--url", url)
    assert ran.code == 1
    assert "the tool failed: " in ran.out


def test_an_unknown_model_is_told_with_those_in_service(url: str):
    ran = pointsman("route", ASK, "--model", "sales", "--url", url)
    assert ran.code == 1
    assert "in service: support" in ran.complaint


def test_a_refusal_is_a_problem_document_under_json(url: str):
    ran = pointsman("route", ASK, "--model", "sales", "--url", url, "--json")
    assert ran.code == 1
    assert (ran.json["status"], ran.json["code"]) == (404, "unknown_model")


@pytest.mark.parametrize(
    "arguments",
    [
        ("",),
        (ASK, "--threshold", "1.5"),
        (ASK, "--local"),
        (ASK, "--config", "gateway.toml"),
        (),
    ],
)
def test_a_route_that_cannot_be_meant_ends_with_2(url: str, arguments: tuple[str, ...]):
    ran = pointsman("route", *arguments, "--url", url)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err


def test_call_prints_what_the_tool_answered(url: str):
    ran = pointsman("call", "track_order", '{"order_id": "ORD-1234"}', "--url", url)
    assert (ran.code, ran.err) == (0, "")
    assert "ORD-1234" in ran.out
    told = pointsman("call", "track_order", '{"order_id": "ORD-1234"}', "--url", url, "--json")
    assert told.code == 0
    assert told.json["content"]


def test_a_tool_that_fails_ends_with_1(url: str):
    ran = pointsman("call", "track_order", '{"order_id": "ORD-9999"}', "--url", url)
    assert ran.code == 1
    assert ran.out.startswith("the tool failed: ")


def test_arguments_that_break_the_schema_are_named(url: str):
    ran = pointsman("call", "track_order", '{"order_id": "12"}', "--url", url)
    assert (ran.code, ran.out) == (1, "")
    assert "/order_id" in ran.complaint
    told = pointsman("call", "track_order", "{}", "--url", url, "--json")
    assert told.code == 1
    assert told.json["errors"]


def test_an_unknown_tool_ends_with_1(url: str):
    assert "fly" in pointsman("call", "fly", "{}", "--url", url).complaint


@pytest.mark.parametrize("text", ["{", "[1]", '{"order_id": NaN}', "[" * 100_000])
def test_arguments_that_are_no_json_object_end_with_2(url: str, text: str):
    ran = pointsman("call", "track_order", text, "--url", url)
    assert ran.code == 2
    assert "JSON" in ran.complaint


def test_arguments_in_bytes_that_are_no_text_reach_the_gateway(url: str):
    ran = pointsman("call", "track_order", json.dumps({"order_id": "\udcff"}), "--url", url)
    assert ran.code == 1
    assert "Unicode" in ran.complaint


def test_tools_are_listed_with_their_server_and_toolsets(url: str):
    ran = pointsman("tools", "--url", url)
    assert (ran.code, ran.err) == (0, "")
    assert "schedule_pickup" in ran.out
    assert "toolset support: 10 tools" in ran.out
    answer = pointsman("tools", "--url", url, "--json").json
    assert {tool["server"] for tool in answer["tools"]} == {"support"}


def test_a_description_cannot_drive_the_terminal_or_the_markup(tmp_path: Path):
    script = Script(tmp_path)
    tool = {"name": "a", "description": "\x1b[2J[red]x", "inputSchema": {"type": "object"}}
    script.tell_pages([tool])
    with gateway(settings(tmp_path, script.config(), adapter=False)) as address:
        ran = pointsman("tools", "--url", address)
    assert "\ufffd[2J[red]x" in ran.out
    assert "\x1b" not in ran.out


def test_a_gateway_without_tools_says_so(tmp_path: Path):
    with gateway(settings(tmp_path, adapter=False)) as address:
        ran = pointsman("tools", "--url", address)
    assert ran.code == 0
    assert "no tool is live" in ran.out
