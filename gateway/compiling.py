"""How a JSON Schema becomes a validator, wherever in the gateway a value is checked.

Nothing is ever fetched. Patterns run in a linear-time engine; those that need look-around or
back-references run, where that is let, in a backtracking one that gives up after too many steps.
What counts as an e-mail address is the bare address, without a name before it.
"""

from typing import Any, NoReturn

import jsonschema_rs

_BACKTRACK_STEPS = 100_000
_PATTERN_BYTES = 10_485_760
_LINEAR = jsonschema_rs.RegexOptions()
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(
    backtrack_limit=_BACKTRACK_STEPS, size_limit=_PATTERN_BYTES
)


def compiled(schema: dict[str, Any], *, asserts_formats: bool = True) -> Any:
    """The validator of a schema, with whatever patterns.

    Raises:
        ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError: it is no JSON
            Schema, its patterns are beyond both engines, or it refers to something outside itself.
    """
    try:
        return _validator(schema, _LINEAR, asserts_formats)
    except jsonschema_rs.ValidationError:
        return _validator(schema, _BACKTRACKING, asserts_formats)


def compiled_linear(schema: dict[str, Any]) -> Any:
    """The validator of a schema whose patterns all run in linear time. Raises as `compiled`."""
    return _validator(schema, _LINEAR, asserts_formats=True)


def _validator(
    schema: dict[str, Any],
    patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions,
    asserts_formats: bool,
) -> Any:
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=asserts_formats,
        retriever=_refuse,
        pattern_options=patterns,
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
    )


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"$ref {uri} is outside the schema and is not fetched")
