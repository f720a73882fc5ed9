"""Grounding: every promised reading gives an identifier, and nothing else does."""

from typing import Any

import pytest
from mcp.types import Tool

from gateway.grounding.ground import Ungrounded, ungrounded
from gateway.types import Call, Message

SCHEMAS: dict[str, dict[str, Any]] = {
    "order": {"type": "string", "pattern": "^ORD-[0-9]{4,6}$", "description": "such as ORD-1234"},
    "sku": {"type": "string", "pattern": "^SKU-[A-Z0-9]{3,8}$"},
    "ticket": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}$"},
    "email": {"type": "string", "format": "email"},
    "date": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
    "two_capitals": {"type": "string", "pattern": "^[A-Z]{2}$"},
    "day": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    "phone": {"type": "string", "pattern": r"^\+[1-9]\d{1,14}$"},
    "local": {"type": "string", "pattern": "^[0-9]{7,15}$"},
    "iban": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$"},
    "amount": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "choice": {"type": "string", "enum": ["ORD-1234", "any"], "pattern": "^[A-Za-z0-9-]+$"},
    "fixed": {"const": "ORD-1234", "pattern": "^ORD"},
}
UUID = "123e4567-e89b-12d3-a456-426614174000"


def is_grounded(kind: str, value: Any, *messages: str | Message) -> bool:
    schema = {"type": "object", "properties": {kind: SCHEMAS[kind]}}
    turns = [Message("user", turn) if isinstance(turn, str) else turn for turn in messages]
    found = ungrounded(Call("t", {kind: value}), Tool(name="t", input_schema=schema), turns)
    assert found in ([], [Ungrounded(f"/{kind}", value)])
    return not found


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        # verbatim, whatever the case
        ("order", "ORD-1234", "where is ORD-1234?"),
        ("order", "ORD-1234", "where is ord-1234."),
        ("order", "ORD-1234", "ORD-1234's parcel"),
        ("order", "ORD-1234", "(ORD-1234)"),
        ("order", "ORD-5678", "ORD-1234, ORD-5678"),
        ("email", "anna.lee@web.de", "I am Anna.Lee@WEB.de."),
        ("email", "anna.lee@web.de", "<anna.lee@web.de>"),
        ("email", "anna.lee@web.de", "mailto:anna.lee@web.de, please"),
        ("email", "p.o.brien@web.de", "p.o.brien@web.de"),
        ("email", "anna+shop@web.de", "anna+shop@web.de"),
        ("uuid", UUID, f"job {UUID.upper()} hangs"),
        # separators dropped, head unsaid
        ("order", "ORD-1234", "ord 1234"),
        ("order", "ORD-1234", "#1234"),
        ("order", "ORD-1234", "ord1234"),
        ("order", "ORD-1234", "ORD–1234"),
        ("order", "ORD-1234", "order no. 1234, please"),
        ("order", "ORD-1234", "№1234"),
        ("order", "ORD-1234", "1234. 5678 is not mine"),
        ("order", "ORD-5678", "orders 1234,5678"),
        ("order", "ORD-1234", "orders 1234,5678"),
        ("order", "ORD-12345", "12 345"),
        ("order", "ORD-1234", "1-2-3-4"),
        ("order", "ORD-1234", "１２３４"),
        ("order", "ORD-1234", "طلب ١٢٣٤"),
        ("order", "ORD-1234", "订单1234在哪里"),
        ("sku", "SKU-MUG12", "sku mug-12"),
        ("sku", "SKU-MUG12", "MUG12"),
        ("sku", "SKU-MUG12", "skumug12"),
        ("sku", "SKU-MUG12", "sku m u g 12"),
        ("sku", "SKU-LAMP7", "s k u l a m p 7"),
        ("sku", "SKU-LAMP7", "s-k-u lamp 7"),
        ("sku", "SKU-LAMP7", "SKU: lamp 7."),
        ("sku", "SKU-TENT2P", "sku tent 2 p"),
        ("sku", "SKU-LAMPGRN", "sku lamp grn order 12"),
        ("sku", "SKU-HATM", "skuHATM"),
        ("sku", "SKU-HATM", "sku:hatm"),
        # spoken
        ("order", "ORD-1234", "one two three four"),
        ("order", "ORD-1234", "one, two, um, three four"),
        ("order", "ORD-1277", "one two double seven"),
        ("order", "ORD-4444", "four triple four"),
        ("order", "ORD-1234", "twelve thirty four"),
        ("order", "ORD-1234", "twelve thirty-four"),
        ("order", "ORD-1234", "one thousand two hundred and thirty four"),
        ("order", "ORD-5000", "five thousand"),
        ("order", "ORD-1205", "twelve oh five"),
        ("order", "ORD-8330", "eight three three zero oh my god"),
        ("order", "ORD-1749", "the other one one seven four nine"),
        ("sku", "SKU-MUG12", "sku mug one two"),
        ("sku", "SKU-MUG12", "sku dash mug dash one two"),
        ("sku", "SKU-LAMP7", "s k u l a m p seven"),
        ("sku", "SKU-H442X", "s k u h four four two x"),
        ("sku", "SKU-SOCK44", "the sku sock four four left in Berlin"),
        ("ticket", "AB12", "ticket a b one two"),
        ("email", "anna.lee@web.de", "anna dot lee at web dot de"),
        ("email", "anna.lee@web.de", "you reach me at anna dot lee at web dot de. Thanks"),
        ("email", "anna.lee@web.de", "anna.lee (at) web [dot] de"),
        ("email", "anna_lee7@web.at", "anna underscore lee seven at web dot at"),
        # dates with their year
        ("date", "2027-06-14", "2027-06-14"),
        ("date", "2027-06-14", "14.06.2027"),
        ("date", "2027-06-14", "14/6/27"),
        ("date", "2027-06-14", "06/14/2027"),
        ("date", "2027-06-14", "20270614"),
        ("date", "2027-06-14", "2027年6月14日"),
        ("date", "2027-06-14", "14 June 2027"),
        ("date", "2027-06-14", "June 14th, 2027"),
        ("date", "2027-06-14", "June 14 '27"),
        ("date", "2027-06-14", "14. Juni 2027"),
        ("date", "2027-06-14", "14 de junio de 2027"),
        ("date", "2027-09-03", "3 Sept 2027"),
        ("date", "2027-06-14", "the fourteenth of June twenty twenty seven"),
        ("moment", "2027-06-14T10:00:00Z", "14 June 2027, 10 o'clock"),
        ("date", "2026-05-19", "pick it up on May 19, 26."),
        ("date", "2026-05-19", "19 May '26 with two boxes"),
        ("day", "2027-06-14", "14 June 2027"),
        ("day", "2027-06-14", "14.06.2027"),
        # what is written in groups
        ("phone", "+14155550123", "+1 415 555 0123"),
        ("phone", "+14155550123", "+1 (415) 555-0123"),
        ("local", "4155550123", "(415) 555-0123"),
        ("iban", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        # countries
        ("country", "DE", "to Berlin, DE"),
        ("country", "DE", "10115 DE"),
        ("country", "FR", "FR 75001 Paris"),
        ("country", "DE", "Wilmington, DE 19801, no, Germany"),
        ("two_capitals", "CA", "Los Angeles, CA 90001"),
        ("country", "DE", "Germany"),
        ("country", "DE", "nach Deutschland"),
        ("country", "CH", "la Suisse"),
        ("country", "GB", "in the UK"),
        ("country", "US", "the U.S."),
        ("country", "CI", "Cote d'Ivoire"),
        ("country", "TR", "Türkiye"),
        ("country", "JP", "〒100 日本東京"),
        ("country", "GN", "Papua New Guinea, no, Guinea"),
        ("country", "KR", "Korea"),
        # amounts
        ("amount", 12999.5, "12999.50"),
        ("amount", 12999.5, "12.999,50 EUR"),
        ("amount", 12999.5, "12 999.50"),
        ("amount", 12999.5, "CHF 12'999.50"),
        ("amount", 12999, "€12,999.00"),
        ("amount", 12000, "twelve thousand"),
        # paths, in any string
        ("text", "/etc/hosts", "read /etc/hosts"),
        ("text", "src/main.py", "open src/main.py."),
        ("text", "https://example.com/a", "see https://example.com/a"),
    ],
)
def test_a_reading_of_the_conversation_grounds(kind: str, value: Any, text: str):
    assert is_grounded(kind, value, text)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("order", "ORD-1234", ""),
        ("order", "ORD-1234", "where is my order?"),
        ("order", "ORD-0012", "order 12"),
        ("order", "ORD-1200", "order 12"),
        ("order", "ORD-4321", "ORD-1234"),
        ("order", "ORD-12345", "1234"),
        ("order", "ORD-1234", "12345"),
        ("order", "ORD-1234", "91234"),
        ("order", "ORD-1234", "ORD-12345678"),
        ("order", "ORD-5678", "ORD-12345678"),
        ("order", "ORD-3456", "ORD-12345678"),
        ("order", "ORD-1234", "ORD-1234A"),
        ("order", "ORD-1234", "X1234Y"),
        ("order", "ORD-1234", "a refund of 12.34"),
        ("order", "ORD-1234", "1234.56"),
        ("order", "ORD-1234", "1234,50 EUR"),
        ("order", "ORD-1234", "1,234,567"),
        ("order", "ORD-1234", "0.1234"),
        ("order", "ORD-1234", "INV-1234-5678"),
        ("order", "ORD-4567", "call 0123-4567"),
        ("order", "ORD-14627", "on 14/6/27"),
        ("order", "ORD-1234", "1 and 2 34 things"),
        ("order", "ORD-1234", "one two three four five"),
        ("order", "ORD-1234", "two one two three four"),
        ("order", "ORD-1234", "thirty four twelve"),
        ("order", "ORD-1234", "one two. three four"),
        ("sku", "SKU-MUG12", "the mug"),
        ("sku", "SKU-MUG12", "mug 123"),
        ("sku", "SKU-MUG12", "smug12"),
        ("sku", "SKU-MUG1", "MUG12"),
        ("sku", "SKU-UG12", "mug one two"),
        ("sku", "SKU-MUG12", "sku mug one two three"),
        ("sku", "SKU-X9IN", "SKU-X9 in Berlin"),
        ("sku", "SKU-X9IN", "sku X9 in Berlin"),
        ("sku", "SKU-X9IN", "sku x 9 in Porto"),
        ("sku", "SKU-X9IN", "s k u x nine in Porto"),
        ("sku", "SKU-9IN", "sku 9 in Porto"),
        ("sku", "SKU-X94", "SKU-X9 4 times"),
        ("sku", "SKU-MUG12", "SKU-MUG 12 times"),
        ("sku", "SKU-MUG12", "sku mug, 12 of them"),
        ("sku", "SKU-MUG12", "sku mug. 12 of them"),
        ("sku", "SKU-MUG12", "the mug 1 2 days ago"),
        ("sku", "SKU-MUG12", "mug one two"),
        ("sku", "SKU-SKUX9", "SKU-X9"),
        ("sku", "SKU-BERLIN", "SKU-X9 in Berlin"),
        ("ticket", "IN12", "it came in on 12 May"),
        ("sku", "SKU-ARM", "a charm"),
        ("sku", "SKU-LAMP", "two lamps"),
        ("sku", "SKU-HEA", "the a lot"),
        ("email", "anna.lee@web.de", "my name is anna lee"),
        ("email", "anna.lee@web.co", "anna.lee@web.com"),
        ("email", "anna.lee@web.co", "anna.lee@web.co.uk"),
        ("email", "anna.lee@web.de", "anna.lee@web.de-x.com"),
        ("email", "lee@web.de", "anna.lee@web.de"),
        ("email", "lee@web.de", "anna-lee@web.de"),
        ("email", "lee@web.de", "anna+lee@web.de"),
        ("email", "anna.lee@web.de", "joanna.lee@web.de"),
        ("email", "anna@web.de", "anna.lee@web.de"),
        ("email", "a@b.de", "a@b.de@c.com"),
        ("email", "lee@web.de", "anna dot lee at web dot de"),
        ("email", "nna.lee@web.de", "anna dot lee at web dot de"),
        ("email", "anna.lee@web.d", "anna dot lee at web dot de"),
        ("email", "anna.lee@web.co", "anna dot lee at web dot co dot uk"),
        ("date", "2027-06-14", "tomorrow"),
        ("date", "2027-06-14", "14 June"),
        ("date", "2027-06-14", "June 2027"),
        ("date", "2027-06-14", "2027-06-15"),
        ("date", "2027-06-14", "14 July 2027"),
        ("date", "2027-06-14", "14 June 2028"),
        ("date", "2027-06-04", "14 June 2027"),
        ("date", "2027-06-04", "14.06.2027"),
        ("date", "2027-01-01", "11/1/2027"),
        ("date", "2027-06-14", "2027-06-145"),
        ("date", "2027-06-14", "14 days, 2027"),
        ("date", "not a date", "14 June 2027"),
        ("date", "2026-05-19", "pick it up on May 19, 26 boxes"),
        ("date", "2026-11-14", "on November 14, 26 Main Street"),
        ("date", "2014-06-15", "June 15, 14:30"),
        ("date", "2014-06-15", "June 15, 14.30"),
        ("day", "2027-06-14", "14 June"),
        ("day", "2027-06-14", "order 14627"),
        ("order", "ORD-1234", "12 (34)"),
        ("iban", "DE89370400440532013000", "DE89 3704 0044 0532 0130"),
        ("country", "CA", "Los Angeles, CA 90001"),
        ("country", "IN", "Indianapolis, IN 46204"),
        ("country", "ID", "Order ID ORD-1234 to Paris"),
        ("country", "GB", "the 16 GB stick"),
        ("country", "US", "ship to South America"),
        ("country", "DE", "I live in Austria"),
        ("country", "DE", "rue de Rivoli"),
        ("country", "DE", "MADE BY HAND"),
        ("country", "IN", "put it in the box"),
        ("country", "US", "tell us"),
        ("country", "GN", "Papua New Guinea"),
        ("country", "SD", "South Sudan"),
        ("country", "IE", "Northern Ireland"),
        ("country", "KR", "North Korea"),
        ("country", "MX", "New Mexico"),
        ("country", "NE", "Nigeria"),
        ("country", "OM", "Roman roads"),
        ("country", "XX", "nowhere"),
        ("amount", 12999.5, "12999"),
        ("amount", 12345, "123456"),
        ("amount", 12345, "912345"),
        ("amount", 12345, "all of it"),
        ("amount", 10**400, "a lot"),
        ("uuid", UUID, f"job {UUID}0"),
        ("uuid", UUID, UUID[:-1]),
        ("text", "/etc/passwd", "read /etc/hosts"),
        ("text", "src/other.py", "open src/main.py"),
        ("text", "https://example.com/b", "see https://example.com/a"),
    ],
)
def test_nothing_else_grounds(kind: str, value: Any, text: str):
    assert not is_grounded(kind, value, text)


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_system_and_assistant_messages_ground_nothing(role: Any):
    assert not is_grounded("order", "ORD-1234", Message(role, "ORD-1234"), "track it")


@pytest.mark.parametrize("role", ["user", "tool"])
def test_users_and_tools_messages_ground_in_any_turn(role: Any):
    early = Message(role, "ORD-1234")
    assert is_grounded("order", "ORD-1234", early, Message("assistant", "Yes?"), "track it")


def test_the_schemas_example_does_not_ground():
    assert "ORD-1234" in SCHEMAS["order"]["description"]
    assert not is_grounded("order", "ORD-1234", "track my order")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "the mug is broken"),
        ("text", "and/or"),
        ("choice", "ORD-1234"),
        ("fixed", "ORD-1234"),
        ("amount", 9999),
        ("amount", True),
        ("amount", None),
    ],
)
def test_what_is_no_identifier_needs_no_ground(kind: str, value: Any):
    assert is_grounded(kind, value, "nothing of it is said")
