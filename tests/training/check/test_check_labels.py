"""Contradictory labels: equal texts must want equal calls, alike ones should."""

from typing import Any

from gateway.types import Toolset
from tests.training.check.made import DESK, call, item, no_tool, track
from training.check.labels import contradictions, signature
from training.check.masks import Masked

SHIPPED = call("list_orders", customer_email="a@b.io", status="shipped")
ALL = call("list_orders", customer_email="a@b.io")
SAID = "the shipped orders of a@b.io"


def found(*rows: Masked) -> list[tuple[str, str]]:
    return [(finding.severity, finding.rule) for finding in contradictions(rows)]


def refund(reason: str, **more: Any) -> dict[str, Any]:
    return call("request_refund", order_id="ORD-4821", reason=reason, **more)


def test_rows_that_agree_give_nothing():
    assert not found(item("hi", no_tool("chat")), item("hi", no_tool("greeting")))
    assert not found(item("where is 4821", track("ORD-4821")), item("hi", no_tool()))


def test_equal_texts_with_another_tool_or_other_arguments_are_an_error():
    assert found(item(SAID, SHIPPED), item(SAID, ALL)) == [("error", "label_text")]
    assert found(item(SAID, SHIPPED), item(SAID, no_tool())) == [("error", "label_text")]


def test_equal_texts_with_other_values_are_an_error_but_other_spans_are_not():
    said = "4821 or 4822, the zip is broken"
    one = item(said, refund("the zip is broken"))
    other = call("request_refund", order_id="ORD-4822", reason="the zip is broken")
    assert found(one, item(said, other)) == [("error", "label_text")]
    assert not found(one, item(said, refund("zip is broken")))


def test_the_last_of_several_equal_texts_counts_too():
    rows = [item(SAID, ALL), item(SAID, ALL), item(SAID, SHIPPED)]
    assert found(*rows) == [("error", "label_text")]


def test_equal_masks_with_another_label_are_a_warning_that_lists_both():
    one = item("the shipped orders of a@b.io", SHIPPED, place="a:1")
    other = item(
        "the shipped orders of x@y.io", call("list_orders", customer_email="x@y.io"), place="b:2"
    )
    (finding,) = contradictions([one, other])
    assert (finding.severity, finding.rule) == ("warning", "label_form")
    assert finding.places == ("a:1", "b:2")
    assert finding.detail == (
        "'the shipped orders of a@b.io' wants list_orders(customer_email, status), "
        "'the shipped orders of x@y.io' wants list_orders(customer_email)"
    )


def test_contradictions_are_found_across_splits():
    assert found(item(SAID, ALL, "train"), item(SAID, SHIPPED, "test")) == [("error", "label_text")]


def test_another_label_for_another_offer_is_no_contradiction():
    without = Toolset("less", tuple(tool for tool in DESK.tools if tool.name != "list_orders"))
    rows = [item(SAID, ALL), item(SAID, no_tool(), offered=without)]
    assert not found(*rows)
    alike = item("the orders of x@y.io", no_tool(), offered=without)
    assert not found(item("the orders of a@b.io", ALL), alike)
    again = item(SAID, no_tool(), offered=Toolset("again", DESK.tools))
    assert found(*rows, again) == [("error", "label_text")]


def test_what_an_assistant_asked_makes_another_request():
    def answered(question: str, target: dict[str, Any]) -> Masked:
        return item([("user", "4821"), ("assistant", question), ("user", "yes")], target)

    assert not found(
        answered("Track it?", track("ORD-4821")),
        answered("Cancel it?", call("cancel_order", order_id="ORD-4821")),
    )


def test_a_malformed_value_is_no_contradiction_to_a_good_one():
    good = item("where is 4821", track("ORD-4821"))
    assert not found(good, item("where is 12", no_tool(), kind="malformed"))
    assert found(good, item("where is 12", no_tool(), kind="underspecified")) == [
        ("warning", "label_form")
    ]


def test_a_day_without_its_year_is_no_contradiction_to_a_date():
    pickup = call("schedule_pickup", order_id="ORD-4821", date="2026-03-03", window="morning")
    assert not found(
        item("fetch 4821 on 3 March 2026, morning", pickup),
        item("fetch 4821 on 3 March, morning", no_tool(), kind="underspecified"),
    )


def test_a_signature_is_the_calls_in_any_order():
    one = item("x", {"calls": [track("ORD-1111"), ALL]}).row
    other = item("x", {"calls": [ALL, track("ORD-2222")]}).row
    assert signature(one) == signature(other)
    assert signature(item("x", no_tool()).row) == ()
