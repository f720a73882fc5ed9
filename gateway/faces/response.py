"""The JSON response of every face: plain ASCII, so that whatever a request held can be told back.

A JSON body can escape half a surrogate pair, which UTF-8 cannot carry; escaped again it can leave.
"""

import json
from typing import Any

from fastapi.responses import JSONResponse


class Json(JSONResponse):
    """A JSON response with every character beyond ASCII escaped."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
