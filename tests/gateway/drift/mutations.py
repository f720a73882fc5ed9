"""Changes made to real tools on purpose, each with the grade it must get, and back.

A mutation takes a tool's schema and a source of choices and gives the changed schema, or None
where the schema offers no place for it. `spelling` ones keep the meaning; the others change it.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from gateway.drift import DriftGrade

Schema = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """A change with the grade it must get, and the grade of the way back."""

    name: str
    apply: Callable[[Schema, Random], Schema | None]
    grade: DriftGrade
    back: DriftGrade


def nodes(schema: Schema) -> Iterator[Schema]:
    """The schemas of the arguments, those within them included."""
    for member in schema.get("properties", {}).values():
        yield member
        yield from nodes(member)
    if isinstance(schema.get("items"), dict):
        yield schema["items"]
        yield from nodes(schema["items"])


def _at_a_node(
    fits: Callable[[Schema], Any], change: Callable[[Schema, Random], None]
) -> Callable[[Schema, Random], Schema | None]:
    def apply(schema: Schema, random: Random) -> Schema | None:
        changed = deepcopy(schema)
        places = [node for node in nodes(changed) if "$ref" not in node and fits(node)]
        if not places:
            return None
        change(random.choice(places), random)
        return changed

    return apply


def _wrap(key: str) -> Callable[[Schema, Random], None]:
    def change(node: Schema, random: Random) -> None:
        inner = dict(node)
        node.clear()
        node[key] = [inner]

    return change


def _set(key: str, value: Any) -> Callable[[Schema, Random], None]:
    return lambda node, random: node.__setitem__(key, value)


def _drop(key: str) -> Callable[[Schema, Random], None]:
    return lambda node, random: node.__delitem__(key)


def _move(key: str, by: float) -> Callable[[Schema, Random], None]:
    return lambda node, random: node.__setitem__(key, node[key] + by)


def _is(kind: str) -> Callable[[Schema], bool]:
    return lambda node: node.get("type") == kind and "enum" not in node and "const" not in node


def _any(node: Schema) -> bool:
    return True


def _to_definition(schema: Schema, random: Random) -> Schema | None:
    """An argument's schema becomes a definition that the argument refers to."""
    changed = deepcopy(schema)
    names = [n for n, s in changed.get("properties", {}).items() if "$ref" not in s]
    if not names:
        return None
    name = random.choice(names)
    place = random.choice(["$defs", "definitions"])
    definitions = changed.setdefault(place, {})
    number = len(definitions)
    definitions[f"Moved/of~{number}"] = changed["properties"][name]
    changed["properties"][name] = {"$ref": f"#/{place}/Moved~1of~0{number}"}
    return changed


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: _shuffled(value[key], random) for key in keys}
    return value


def _reorder_required(schema: Schema, random: Random) -> Schema | None:
    names = schema.get("required", [])
    return {**schema, "required": names[::-1]} if len(names) > 1 else None


def _null_as(form: str) -> Callable[[Schema, Random], Schema | None]:
    """The same optional null, written in one of its three ways; `before` holds the list form."""

    def change(node: Schema, random: Random) -> None:
        kind = next(name for name in node["type"] if name != "null")
        if form == "nullable":
            node |= {"type": kind, "nullable": True}
        else:
            inner = {k: v for k, v in node.items() if k not in ("description", "default")}
            for key in inner:
                del node[key]
            node[form] = [{**inner, "type": kind}, {"type": "null"}]

    return _at_a_node(_has_null, change)


def _has_null(node: Schema) -> bool:
    types = node.get("type")
    return isinstance(types, list) and len(types) == 2 and "null" in types and "enum" not in node


def _with_null(node: Schema, random: Random) -> None:
    node["type"] = [node["type"], "null"]


def _reverse(key: str) -> Callable[[Schema, Random], None]:
    return lambda node, random: node.__setitem__(key, node[key][::-1])


def _as_floats(node: Schema, random: Random) -> None:
    node |= {k: float(v) for k, v in node.items() if type(v) is int}


def _const_to_enum(node: Schema, random: Random) -> None:
    node["enum"] = [node.pop("const")]


def _spaced(node: Schema, random: Random) -> None:
    node["description"] = "  " + node["description"].replace(" ", "\n  ") + "\n"


SPELLING = (
    Mutation("title", _at_a_node(_any, _set("title", "A title")), "notation", "notation"),
    Mutation("comment", _at_a_node(_any, _set("$comment", "why")), "notation", "notation"),
    Mutation("examples", _at_a_node(_any, _set("examples", ["x"])), "notation", "notation"),
    Mutation("deprecated", _at_a_node(_any, _set("deprecated", True)), "notation", "notation"),
    Mutation("password", _at_a_node(
        lambda n: _is("string")(n) and "format" not in n, _set("format", "password")
    ), "notation", "notation"),
    Mutation("a list of one type", _at_a_node(
        lambda n: isinstance(n.get("type"), str),
        lambda n, r: n.__setitem__("type", [n["type"]]),
    ), "notation", "notation"),
    Mutation("anyOf of one", _at_a_node(_any, _wrap("anyOf")), "notation", "notation"),
    Mutation("allOf of one", _at_a_node(_any, _wrap("allOf")), "notation", "notation"),
    Mutation("oneOf of one", _at_a_node(_any, _wrap("oneOf")), "notation", "notation"),
    Mutation("a definition", _to_definition, "notation", "notation"),
    Mutation("required in another order", _reorder_required, "notation", "notation"),
    Mutation("enum in another order", _at_a_node(
        lambda n: len(n.get("enum", [])) > 1, _reverse("enum")
    ), "notation", "notation"),
    Mutation("a const as an enum", _at_a_node(lambda n: "const" in n, _const_to_enum),
             "notation", "notation"),
    Mutation("no shortest text", _at_a_node(
        lambda n: _is("string")(n) and "minLength" not in n, _set("minLength", 0)
    ), "notation", "notation"),
    Mutation("an open object", lambda s, r: None if "additionalProperties" in s else
             {**s, "additionalProperties": True}, "notation", "notation"),
    Mutation("an unused definition", lambda s, r: {**s, "$defs": {**s.get("$defs", {}), "No": {}}},
             "notation", "notation"),
    Mutation("a dialect", lambda s, r: None if "$schema" in s else
             {**s, "$schema": "http://json-schema.org/draft-07/schema#"}, "notation", "notation"),
    Mutation("spaces", _at_a_node(lambda n: " " in n.get("description", ""), _spaced),
             "notation", "notation"),
    Mutation("null as anyOf", _null_as("anyOf"), "notation", "notation"),
    Mutation("null as oneOf", _null_as("oneOf"), "notation", "notation"),
    Mutation("null as nullable", _null_as("nullable"), "notation", "notation"),
)  # fmt: skip


def _with_argument(schema: Schema, random: Random) -> Schema:
    return {**schema, "properties": {**schema.get("properties", {}), "extra": {"type": "string"}}}


def _must_have_argument(schema: Schema, random: Random) -> Schema:
    changed = _with_argument(schema, random)
    return {**changed, "required": [*schema.get("required", []), "extra"]}


def _not_required(schema: Schema, random: Random) -> Schema | None:
    names = schema.get("required", [])
    return {**schema, "required": names[1:]} if names else None


def _renamed_argument(schema: Schema, random: Random) -> Schema | None:
    members = dict(schema.get("properties", {}))
    if not members:
        return None
    name = random.choice(sorted(members))
    members[f"{name}_"] = members.pop(name)
    return {**schema, "properties": members}


def _no_additional(node: Schema) -> bool:
    return node.get("additionalProperties") is False


def _text(node: Schema) -> bool:
    return _is("string")(node)


def _number(node: Schema) -> bool:
    return _is("number")(node) or _is("integer")(node)


MEANING = (
    Mutation("another description", _at_a_node(_any, _set("description", "Something new.")),
             "description", "description"),
    Mutation("another default", _at_a_node(_any, _set("default", "something new")),
             "description", "description"),
    Mutation("an optional argument", _with_argument, "compatible", "breaking"),
    Mutation("a required argument", _must_have_argument, "breaking", "breaking"),
    Mutation("an argument no longer required", _not_required, "compatible", "breaking"),
    Mutation("an argument's new name", _renamed_argument, "breaking", "breaking"),
    Mutation("an open object", lambda s, r: {k: v for k, v in s.items()
             if k != "additionalProperties"} if _no_additional(s) else None,
             "compatible", "breaking"),
    Mutation("null too", _at_a_node(lambda n: isinstance(n.get("type"), str) and n["type"] != "null"
             and "enum" not in n and "const" not in n, _with_null), "compatible", "breaking"),
    Mutation("numbers too", _at_a_node(_is("integer"), _set("type", "number")),
             "compatible", "breaking"),
    Mutation("one more value", _at_a_node(
        lambda n: "enum" in n, lambda n, r: n.__setitem__("enum", [*n["enum"], "one more"])
    ), "compatible", "breaking"),
    Mutation("a const among values", _at_a_node(
        lambda n: "const" in n,
        lambda n, r: n.__setitem__("enum", [n.pop("const"), "one more"]),
    ), "compatible", "breaking"),
    Mutation("any value", _at_a_node(lambda n: "enum" in n and n.get("type") == "string",
             _drop("enum")), "compatible", "breaking"),
    Mutation("any text", _at_a_node(lambda n: "pattern" in n, _drop("pattern")),
             "compatible", "breaking"),
    Mutation("no format", _at_a_node(lambda n: "format" in n and _text(n), _drop("format")),
             "compatible", "breaking"),
    Mutation("a pattern", _at_a_node(lambda n: _text(n) and "pattern" not in n,
             _set("pattern", "^[a-z]{3}$")), "breaking", "compatible"),
    Mutation("longer texts", _at_a_node(lambda n: _text(n) and "maxLength" in n,
             _move("maxLength", 1)), "compatible", "breaking"),
    Mutation("longer texts at least", _at_a_node(lambda n: _text(n) and "minLength" in n,
             _move("minLength", 1)), "breaking", "compatible"),
    Mutation("greater numbers", _at_a_node(lambda n: _number(n) and "maximum" in n,
             _move("maximum", 1)), "compatible", "breaking"),
    Mutation("greater numbers only", _at_a_node(lambda n: _number(n) and "minimum" in n,
             _move("minimum", 1)), "breaking", "compatible"),
    Mutation("a least number", _at_a_node(
        lambda n: _number(n) and not n.keys() & {"minimum", "exclusiveMinimum"},
        _set("minimum", 3),
    ), "breaking", "compatible"),
    Mutation("a different type", _at_a_node(lambda n: _text(n) and n.keys() <= {
             "type", "description"}, _set("type", "boolean")), "breaking", "breaking"),
    Mutation("any type", _at_a_node(lambda n: _text(n), _drop("type")), "compatible", "breaking"),
    Mutation("items that are texts", _at_a_node(
        lambda n: n.get("type") == "array" and n.get("items", {}).get("type") == "string",
        lambda n, r: n.__setitem__("items", {"type": "integer"}),
    ), "breaking", "breaking"),
)  # fmt: skip


def respelt(schema: Schema, random: Random, times: int) -> Schema:
    """The same schema after several changes of spelling, with its keys in any order."""
    for _ in range(times):
        schema = random.choice(SPELLING).apply(schema, random) or schema
    return _shuffled(schema, random)
