"""The arguments of a call, each with what the tool's input schema says of it.

One walk for everything that looks at arguments one by one: grounding, the masks and checks of a
data set. It goes wherever the schema may speak of a value: references, every branch of a choice,
the keywords beside them. Only at the argument itself is chosen among what was found, by the value:
what does not allow it does not speak of it. Whether a call is valid is not its business
(`gateway.validate`). Pure functions, which end for every schema, after a bounded number of parts.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from mcp.types import Tool

from gateway.compiling import compiled
from gateway.pointer import at
from gateway.references import References, Schema, schema_at, schemas_in
from gateway.types import Call

_MAX_DEPTH = 64
_MAX_STEPS = 32
_MAX_PARTS = 1_000
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_BESIDE = (*_ALTERNATIVES, "then", "else", "dependentSchemas", "dependencies")
_FORM = ("type", "enum", "const", "pattern", "format")
_TELLING = frozenset({"pattern", "format", "properties", "items", "$ref"})


@dataclass(frozen=True, slots=True)
class Argument:
    """A string or number within a call: its JSON Pointer, its innermost name and its schema.

    The schema is put together of all that may be said of the value. The name of a member is an
    argument, too, where the schema says something of names.
    """

    pointer: str
    name: str
    value: str | int | float
    schema: Mapping[str, Any]


def arguments(call: Call, tool: Tool) -> Iterator[Argument]:
    """Every string and number of a call's arguments, in their order."""
    return _Walk(tool.input_schema).leaves(call.arguments, [tool.input_schema], "", "")


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a schema within `root` says of no value in particular, references followed.

    Of alternatives that one is taken that is the only one besides null (`X | None`), or else the
    first that describes a form or a structure; without one they stay as they are.
    """
    for _ in range(_MAX_STEPS):
        reference = schema.get("$ref")
        if reference == "#":
            schema = root
        elif isinstance(reference, str) and reference.startswith("#/"):
            schema = schema_at(dict(root), reference[1:]) or {}
        else:
            chosen = _chosen(schema)
            if chosen is None:
                break
            schema = chosen
    return schema


class _Walk:
    """One walk over arguments; keeps what it compiled of the schema."""

    def __init__(self, root: Schema) -> None:
        self._references = References(root)
        self._forms: dict[int, Any] = {}
        self._names: dict[str, Schema] = {}

    def leaves(
        self, value: Any, schemas: Sequence[Schema], pointer: str, name: str
    ) -> Iterator[Argument]:
        if pointer.count("/") > _MAX_DEPTH:
            return
        parts = list(islice(self._parts(schemas), _MAX_PARTS))
        if isinstance(value, dict):
            names = [named for part in parts for named in schemas_in("", part.get("propertyNames"))]
            for key, item in cast(dict[str, Any], value).items():
                place = at(pointer, key)
                if names:
                    yield from self.leaves(key, names, place, key)
                inner = [found for part in parts for found in self._of_member(part, key)]
                yield from self.leaves(item, inner, place, key)
        elif isinstance(value, list):
            for index, item in enumerate(cast(list[Any], value)):
                inner = [found for part in parts for found in _of_item(part, index)]
                yield from self.leaves(item, inner, f"{pointer}/{index}", name)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            yield Argument(pointer, name, value, self._said_of(value, parts))

    def _parts(self, schemas: Sequence[Schema]) -> Iterator[Schema]:
        """The schemas, and all that they refer to or may add of the same value, each once."""
        waiting, seen = deque(schemas), set[int]()
        while waiting:
            part = waiting.popleft()
            if id(part) in seen:
                continue
            seen.add(id(part))
            yield part
            waiting += self._references.targets(part)
            for key in _BESIDE:
                waiting += schemas_in(key, part.get(key))

    def _of_member(self, part: Schema, key: str) -> Iterator[Schema]:
        properties, patterns = _object(part.get("properties")), part.get("patternProperties")
        found = [properties[key]] if key in properties else []
        found += [
            schema for pattern, schema in _object(patterns).items()
            if self._allows(self._names.setdefault(pattern, {"pattern": pattern}), key)
        ]  # fmt: skip
        rest = (part.get("additionalProperties"), part.get("unevaluatedProperties"))
        yield from schemas_in("", found or list(rest))

    def _said_of(self, value: str | int | float, parts: Sequence[Schema]) -> Schema:
        """What the parts that allow the value say of it; all, if none allows it."""
        meant = [part for part in parts if self._allows(part, value)] or parts
        return {key: said for part in reversed(meant) for key, said in part.items()}

    def _allows(self, part: Schema, value: str | int | float) -> bool:
        """Whether a part's own words allow a value; those that cannot be read do."""
        if id(part) not in self._forms:
            self._forms[id(part)] = _compiled({key: part[key] for key in _FORM if key in part})
        form = self._forms[id(part)]
        try:
            return form is None or form.is_valid(value)
        except ValueError:
            return True


def _compiled(form: Schema) -> Any:
    """A form, ready to check values in bounded time; None if it cannot be read."""
    try:
        return compiled(form)
    except ValueError:
        return None


def _of_item(part: Schema, index: int) -> Iterator[Schema]:
    items = part.get("items")
    # Up to draft 7 a list of `items` is what `prefixItems` is since.
    first, rest = (items, "additionalItems") if isinstance(items, list) else ((), "items")
    first = cast(Sequence[Any], part.get("prefixItems") or first)
    place = first[index] if index < len(first) else [part.get(rest), part.get("unevaluatedItems")]
    yield from schemas_in("", place)


def _chosen(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema with the first choice made that can be made; None if there is none."""
    for key in _ALTERNATIVES:
        branches = [_object(branch) for branch in schema.get(key) or ()]
        branches = [branch for branch in branches if branch.get("type") != "null"]
        if len(branches) > 1:
            branches = [branch for branch in branches if _TELLING & set(branch)]
        if branches:
            return {**{k: v for k, v in schema.items() if k != key}, **branches[0]}
    return None


def _object(value: Any) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}
