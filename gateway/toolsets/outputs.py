"""Check what a tool gave back against the output schema that it was listed with.

The call has run by then. So a result is refused only where it is proven to break a schema that can
be used; a schema that cannot be is told in the log once, and counts as none.
"""

import json
import logging
from functools import lru_cache
from typing import Any

from mcp.types import CallToolResult

from gateway.validate import ResultValidator, SchemaError

logger = logging.getLogger(__name__)
_KEPT = 1024


def output_error(
    server: str, tool: str, schema: dict[str, Any], result: CallToolResult
) -> str | None:
    """In what a result breaks the output schema of its tool; None if it does not."""
    if "structured_content" not in result.model_fields_set:
        return "it has no structured content"
    validator = _validator(server, tool, json.dumps(schema))
    error = validator.error(result.structured_content) if validator is not None else None
    return str(error) if error is not None else None


@lru_cache(maxsize=_KEPT)
def _validator(server: str, tool: str, schema: str) -> ResultValidator | None:
    """The schema, compiled; kept by its text, for each list brings it as another object."""
    try:
        return ResultValidator(json.loads(schema))
    except SchemaError as exc:
        logger.warning(
            "results of tool %s of server %s are not checked: %s", tool, server, exc,
            extra={"event": "results_not_checked", "server": server, "tool": tool},
        )  # fmt: skip
        return None
