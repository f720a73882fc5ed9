"""How a JSON Schema becomes a validator, wherever in the gateway a value is checked.

Nothing is ever fetched, and patterns run in a linear-time engine unless another is asked for. What
counts as an e-mail address is the bare address, without a name before it.
"""

from typing import Any, NoReturn

import jsonschema_rs

LINEAR = jsonschema_rs.RegexOptions()
"""Patterns without look-around and back-references."""


def compiled(
    schema: dict[str, Any],
    patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions = LINEAR,
    *,
    asserts_formats: bool = True,
) -> Any:
    """The validator of a schema.

    Raises:
        ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError: it is no JSON
            Schema, its patterns are beyond the engine, or it refers to something outside itself.
    """
    return jsonschema_rs.validator_for(
        schema,
        validate_formats=asserts_formats,
        retriever=_refuse,
        pattern_options=patterns,
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
    )


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"$ref {uri} is outside the schema and is not fetched")
