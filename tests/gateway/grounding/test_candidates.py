"""The grammar offers the identifiers of the conversation: whatever grounds, and no miscopies."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.grounding.candidates import MAX_CANDIDATES, narrowed
from gateway.grounding.ground import identifiers, ungrounded
from gateway.prompt import HISTORY_TURNS, TOOL_RESULT_CHARS
from gateway.types import Message, Toolset
from training.rows import read_rows

ROOT = Path(__file__).parents[3]
DESK = Toolset.from_json(json.loads((ROOT / "mcp_servers/support/toolset.json").read_text()))


def said(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]


def offered(text: str, tool: str, name: str) -> Any:
    schema = narrowed(DESK, said(text)).by_name[tool].input_schema
    return schema["properties"][name].get("enum")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("where is ORD-1234?", ["ORD-1234"]),
        ("order 1234, not 5678", ["ORD-1234", "ORD-5678"]),
        ("ord1234", ["ORD-1234"]),
        ("order one two three four", ["ORD-1234"]),
        ("my order four double one nine oh", ["ORD-41190"]),
        ("order ٤٤١٩٠", ["ORD-44190"]),
    ],
)
def test_an_order_number_is_one_that_was_said(text: str, values: list[str]):
    assert set(values) <= set(offered(text, "track_order", "order_id"))
    assert all(
        value not in ("ORD-1235", "ORD-0012") for value in offered(text, "track_order", "order_id")
    )


@pytest.mark.parametrize("text", ["where is order 12?", "order ABC-123456789", "where is it?"])
def test_where_none_is_said_the_schema_stays(text: str):
    assert offered(text, "track_order", "order_id") is None
    assert narrowed(DESK, said(text)).by_name["track_order"] is DESK.by_name["track_order"]


def test_a_product_number_may_be_spelt_in_parts_and_any_case():
    assert "SKU-MUG12" in offered("swap sku mug-12 please", "check_stock", "sku")
    assert "SKU-MUG12" in offered("s k u mug one two", "check_stock", "sku")
    assert "SKU-BAG09" in offered("skuBAG09 any left", "check_stock", "sku")
    assert "SKU-LAMPGRN" in offered("s k u lamp grn", "check_stock", "sku")
    assert "SKU-LAMP7" in offered("s k u l a m p 7", "check_stock", "sku")
    assert "SKU-MUG13" not in offered("swap sku mug-12 please", "check_stock", "sku")


@pytest.mark.parametrize(
    "text", ["SKU-X9 in Berlin", "is sku X9 in Berlin?", "sku x 9 in Porto", "SKU-X9 4 times"]
)
def test_a_broken_product_number_is_not_mended_with_the_words_beside_it(text: str):
    assert offered(text, "check_stock", "sku") is None


def test_a_written_address_is_offered_as_it_stands_and_in_small_letters():
    assert offered("it is er Tomasz.W@onet.pl.", "list_orders", "customer_email") == [
        "Tomasz.W@onet.pl", "tomasz.w@onet.pl",
    ]  # fmt: skip


def test_beside_a_spoken_address_no_written_one_is_forced():
    text = "not a@b.example but anna dot lee at web dot de"
    assert offered(text, "list_orders", "customer_email") is None


def test_what_the_assistant_says_offers_nothing():
    messages = [Message("user", "where is it?"), Message("assistant", "Do you mean ORD-9999?")]
    schema = narrowed(DESK, messages).by_name["track_order"].input_schema
    assert "enum" not in schema["properties"]["order_id"]


def test_a_long_result_offers_what_the_model_reads_of_it():
    result = json.dumps([{"order_id": f"ORD-{number}"} for number in range(10_000, 60_000)])
    assert len(result) > 1_000_000
    asked, shown = said("where is it?"), result[:TOOL_RESULT_CHARS]
    made = narrowed(DESK, [*asked, Message("tool", result)])
    assert made == narrowed(DESK, [*asked, Message("tool", shown)])
    values = made.by_name["track_order"].input_schema["properties"]["order_id"]["enum"]
    assert {"ORD-10000", "ORD-10050"} <= set(values)
    assert "ORD-59999" not in values


def test_a_turn_that_the_model_does_not_read_offers_nothing():
    messages = said("ORD-1234", *["hm"] * HISTORY_TURNS)
    assert narrowed(DESK, messages) is DESK


@pytest.mark.parametrize("unit", ["1 2 3 ", "where is ORD-1234? ", "x"])
def test_more_than_any_prompt_holds_narrows_nothing(unit: str):
    assert narrowed(DESK, said(unit * (1_000_000 // len(unit)))) is DESK


def test_too_many_choices_are_no_choice():
    text = " ".join(f"{10_000 + number}" for number in range(MAX_CANDIDATES + 1))
    assert offered(text, "track_order", "order_id") is None


def test_identifiers_are_narrowed_wherever_they_stand_and_other_patterns_are_left_alone():
    schema = {
        "type": "object",
        "properties": {
            "ids": {"type": "array", "items": {"type": "string", "pattern": "^ID-[0-9]+$"}},
            "either": {"anyOf": [{"$ref": "#/$defs/id"}, {"type": "null"}]},
            "code": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "two": {"type": "string", "pattern": "^A-[0-9]+-[0-9]+$"},
            "pattern": {"type": "string"},
        },
        "$defs": {"id": {"type": "string", "pattern": "^ID-[0-9]+$"}},
    }
    tools = Toolset.from_json({"name": "t", "tools": [{"name": "a", "inputSchema": schema}]})
    made = narrowed(tools, said("id 77 A-1-2")).tools[0].input_schema
    values = {"type": "string", "enum": ["ID-1", "ID-12", "ID-2", "ID-77"]}
    assert made["properties"]["ids"]["items"] == values
    assert made["$defs"]["id"] == values
    for name in ("code", "two", "pattern", "either"):
        assert made["properties"][name] == schema["properties"][name]


def test_every_grounded_identifier_of_all_our_rows_is_offered():
    missing: list[str] = []
    for row in read_rows(ROOT / "training/data/support/train", DESK):
        tools = narrowed(DESK, row.messages).by_name
        for call in row.calls:
            if ungrounded(call, DESK.by_name[call.tool], row.messages):
                continue
            for found in identifiers(call, tools[call.tool]):
                # What was narrowed is an enum now, and so no identifier any more.
                assert found.schema.get("enum") is None
            for found in identifiers(call, DESK.by_name[call.tool]):
                name = found.pointer.rsplit("/", 1)[-1]
                values = tools[call.tool].input_schema["properties"].get(name, {}).get("enum")
                if values is not None and found.value not in values:
                    missing.append(f"{row.place}: {found.value}")
    assert missing == []
