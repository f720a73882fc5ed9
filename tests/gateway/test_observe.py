"""What an operator sees: a line a record, with every field of the event."""

import json
import logging
from types import TracebackType
from typing import Any

from gateway.observe import JsonLines, Metrics, Text, extras

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def record(message: str, *args: object, exc: BaseException | None = None, **extra: Any):
    info: ExcInfo | None = (type(exc), exc, exc.__traceback__) if exc else None
    logger = logging.getLogger("tests.observe")
    return logger.makeRecord(
        logger.name, logging.WARNING, __file__, 1, message, args, info, "f", extra
    )


def test_a_json_line_holds_the_message_and_every_field() -> None:
    line = JsonLines().format(record("%d tools", 2, event="drift", tools=["a", {"b": 1}]))
    value = json.loads(line)
    assert isinstance(value.pop("time"), float)
    assert value == {
        "level": "warning", "logger": "tests.observe", "message": "2 tools", "event": "drift",
        "tools": ["a", {"b": 1}],
    }  # fmt: skip


def test_a_json_line_is_one_line_that_can_be_written_whatever_it_holds() -> None:
    line = JsonLines().format(record("two\nlines, 🦊 and \ud83d", path=object()))
    assert "\n" not in line
    # As Python's own stderr writes what UTF-8 cannot carry.
    written = line.encode(errors="backslashreplace")
    assert json.loads(written)["message"] == "two\nlines, 🦊 and \ud83d"


def test_an_exception_stands_in_its_own_field() -> None:
    try:
        raise ValueError("why")
    except ValueError as exc:
        line = JsonLines().format(record("failed", exc=exc))
    assert "ValueError: why" in json.loads(line)["exception"]


def test_a_line_for_people_names_the_event() -> None:
    assert Text().format(record("gone", event="drift")).endswith(" WARNING gone  [drift]")
    assert Text().format(record("gone")).endswith(" WARNING gone")
    assert Text().format(record("gone", exc=ValueError("why"))).endswith("\nValueError: why")


def test_only_fields_that_a_call_added_are_extras() -> None:
    assert extras(record("x", event="e", server="s")) == {"event": "e", "server": "s"}
    assert extras(record("x")) == {}


def test_two_gateways_in_one_process_count_for_themselves() -> None:
    first, second = Metrics(), Metrics()
    first.dispatches.labels("a", "ok").inc()
    line = b'pointsman_dispatches_total{result="ok",server="a"} 1.0'
    assert line in first.text()
    assert line not in second.text()
