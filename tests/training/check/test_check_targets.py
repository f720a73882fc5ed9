"""Targets: what was on offer, what is grounded, spans, and optional values that are left out."""

from typing import Any

import pytest

from gateway.types import Toolset
from tests.training.check.made import DESK, call, item, no_tool, track
from training.check.masks import Masked
from training.check.report import Finding
from training.check.targets import offers, target_findings
from training.rows import require_own_tools, require_toolset


def findings(made: Masked) -> list[Finding]:
    return list(target_findings(made, DESK))


def rules(made: Masked) -> list[str]:
    return [finding.rule for finding in findings(made)]


def test_rows_of_another_toolset_or_of_none_are_one_error_that_lists_them():
    good = item("where is 4821", track("ORD-4821"))
    other = item("a", no_tool(), toolset="0123456789abcdef", place="a:1")
    none = item("b", no_tool(), toolset=None, place="a:2")
    (error,) = offers([good, other, none], DESK, require_toolset)
    assert (error.severity, error.rule, error.places) == ("error", "toolset", ("a:1", "a:2"))
    assert "2 of 3 rows" in error.detail
    assert not list(offers([good], DESK, require_toolset))


def test_training_on_varied_tools_brings_its_own_rule():
    (error,) = offers([item("a", no_tool(), place="a:1")], DESK, require_own_tools)
    assert error.places == ("a:1",)


def test_a_good_row_gives_nothing():
    refund = call("request_refund", order_id="ORD-4821", reason="the zip is broken")
    assert not findings(item("refund 4821, the zip is broken", refund))


def test_an_identifier_that_nobody_said_is_an_error():
    (error,) = findings(item("where is 4822", track("ORD-4821"), place="a:1"))
    assert (error.severity, error.rule, error.places) == ("error", "ungrounded", ("a:1",))
    assert "/order_id 'ORD-4821'" in error.detail


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("the zipper broke", "not said like this"),
        ("The zip is broken", "in other letters"),
        ("he zip is broken", "within a word"),
    ],
)
def test_free_text_that_is_no_verbatim_span_is_a_warning(reason: str, why: str):
    refund = call("request_refund", order_id="ORD-4821", reason=reason)
    (warning,) = findings(item("refund 4821, the zip is broken", refund))
    assert (warning.severity, warning.rule) == ("warning", "not_a_span")
    assert why in warning.detail


def test_a_span_may_run_over_a_line_but_not_over_turns_nor_be_the_assistants():
    refund = call("request_refund", order_id="ORD-4821", reason="the zip is broken")
    assert not findings(item("refund 4821, the zip\n is broken", refund))
    turns = item([("user", "refund 4821, the zip"), ("user", "is broken")], refund)
    assert rules(turns) == ["not_a_span"]
    asked = item(
        [("user", "refund 4821"), ("assistant", "the zip is broken?"), ("user", "yes")], refund
    )
    assert rules(asked) == ["not_a_span"]


def test_what_a_row_accepts_is_free_text_only_where_the_schema_leaves_it_free():
    address = {"street": "Main St 5", "city": "Oslo", "postal_code": "0150", "country": "NO"}
    target = call("update_shipping_address", order_id="ORD-4821", address=address)
    said = "4821 to main st 5, Oslo 0150, Norway"
    assert not rules(item(said, target))
    assert rules(item(said, target, accept=("street", "country"))) == ["not_a_span"]


@pytest.mark.parametrize(
    ("said", "target", "left_out"),
    [
        ("Shipped orders of a@b.io", call("list_orders", customer_email="a@b.io"), ["left_out"]),
        ("shipped orders of a@b.io",
         call("list_orders", customer_email="a@b.io", status="shipped"), []),
        ("orders of a@b.io, shippedy", call("list_orders", customer_email="a@b.io"), []),
        ("any SKU-MUG12 left", call("check_stock", sku="SKU-MUG12"), []),
        ("SKU-MUG12 in Lyon", call("check_stock", sku="SKU-MUG12"), ["left_out"]),
        ("a person: your prices are too high",
         call("escalate", reason="your prices are too high"), []),
        ("orders of shipped@b.io", call("list_orders", customer_email="shipped@b.io"), []),
        ("shipped orders of a@b.io, and 4821",
         {"calls": [call("list_orders", customer_email="a@b.io"), track("ORD-4821")]}, []),
    ],
)  # fmt: skip
def test_an_enum_word_that_is_said_and_left_out_is_a_warning_where_it_is_safe_to_tell(
    said: str, target: dict[str, Any], left_out: list[str]
):
    made = findings(item(said, target))
    assert [finding.rule for finding in made] == left_out
    assert all(finding.severity == "warning" for finding in made)


def test_optional_values_are_found_through_references_and_unions():
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "size": {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}], "default": None},
        },
        "required": ["id"],
        "$defs": {"Size": {"type": "string", "enum": ["small", "large"]}},
    }
    own = Toolset.from_json({"name": "own", "tools": [{"name": "find", "inputSchema": schema}]})
    assert rules(item("a large one", call("find", id="a"), offered=own)) == ["left_out"]
    assert not rules(item("a large one", call("find", id="a", size="large"), offered=own))
