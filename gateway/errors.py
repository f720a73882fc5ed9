"""Everything that can go wrong, as one tree; faces map it, nothing else does.

    PointsmanError                 status  code
    ├── BadRequest                 422     malformed_request
    │   ├── InvalidArguments       422     invalid_arguments    carries the argument errors
    │   └── ConversationTooLong    413     too_large
    ├── Unauthenticated            401     unauthenticated
    ├── Forbidden                  403     forbidden
    │   └── NotApproved            403     not_approved
    │       └── ApprovalAsked      403     approval_asked       the answer is still to come
    ├── NotFound                   404
    │   ├── UnknownTool            404     unknown_tool
    │   ├── UnknownModel           404     unknown_model
    │   ├── UnknownServer          404     unknown_server
    │   └── UnknownAdapter         404     unknown_adapter
    ├── Conflict                   409
    │   ├── NameCollision          409     name_collision
    │   ├── AdapterRefused         409     adapter_refused
    │   │   └── ProbeFailed        409     adapter_refused
    │   └── HeldDefinition         409     held_definition
    ├── UpstreamDown               502     upstream_down
    │   ├── UpstreamRefused        502     upstream_refused     carries the server's own error
    │   └── InputRequired          502     input_required       carries what the server asks for
    ├── UpstreamTimeout            504     upstream_timeout
    ├── FallbackDown               502     fallback_down
    ├── FallbackTimeout            504     fallback_timeout
    ├── EngineDown                 503     engine_down          carries Retry-After, in seconds
    └── ConfigurationError         500     configuration        only at start

A tool that answers with `isError` is not in this tree: it is a result. A message never holds a
secret or a stack trace, and says what to do where there is something to do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class PointsmanError(Exception):
    """Base of all errors that a caller is told about."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    retry_after: ClassVar[int | None] = None

    @property
    def extra(self) -> Mapping[str, Any]:
        """Members that the error adds to its problem document."""
        return {}


class BadRequest(PointsmanError):
    """The request is well-formed JSON but not what the call takes."""

    status = 422
    code = "malformed_request"


class InvalidArguments(BadRequest):
    """A call's arguments break the tool's input schema."""

    code = "invalid_arguments"

    def __init__(self, tool: str, errors: Sequence[Mapping[str, str]]) -> None:
        super().__init__(f"the arguments break the input schema of {tool}")
        self.errors = list(errors)

    @property
    def extra(self) -> Mapping[str, Any]:
        return {"errors": self.errors}


class ConversationTooLong(BadRequest):
    """The conversation does not fit what the adapter reads."""

    status = 413
    code = "too_large"


class Unauthenticated(PointsmanError):
    """No key, or one that is not known."""

    status = 401
    code = "unauthenticated"


class Forbidden(PointsmanError):
    """The key lacks the scope, or the configuration does not allow it."""

    status = 403
    code = "forbidden"


class NotApproved(Forbidden):
    """A person has to approve the call and has not; the message says how to have it approved."""

    code = "not_approved"


class ApprovalAsked(NotApproved):
    """A person is being asked; the answer comes with another request, and the call runs then."""

    code = "approval_asked"


class NotFound(PointsmanError):
    """What the request names does not exist."""

    status = 404
    code = "not_found"


class UnknownTool(NotFound):
    """No live tool has this name."""

    code = "unknown_tool"


class UnknownModel(NotFound):
    """No active adapter and no toolset has this name."""

    code = "unknown_model"


class UnknownServer(NotFound):
    """No server is registered under this name."""

    code = "unknown_server"


class UnknownAdapter(NotFound):
    """No stored adapter has this name or version."""

    code = "unknown_adapter"


class Conflict(PointsmanError):
    """The request contradicts what is there."""

    status = 409
    code = "conflict"


class NameCollision(Conflict):
    """Two tools would carry one name; the message says which prefix to set."""

    code = "name_collision"


class AdapterRefused(Conflict):
    """An adapter cannot be served; the message says why."""

    code = "adapter_refused"


class ProbeFailed(AdapterRefused):
    """An adapter answers one of its probes otherwise than it must."""


class HeldDefinition(Conflict):
    """The tool's definition is new or changed, and nobody has approved it yet."""

    code = "held_definition"


class UpstreamDown(PointsmanError):
    """The server that owns the tool cannot be reached or broke the protocol."""

    status = 502
    code = "upstream_down"


class UpstreamRefused(UpstreamDown):
    """The server answered with a JSON-RPC error: the request as such was not accepted."""

    code = "upstream_refused"

    def __init__(
        self, text: str, rpc_code: int = -32603, rpc_message: str = "", rpc_data: Any = None
    ) -> None:
        super().__init__(text)
        self.rpc_code = rpc_code
        self.rpc_message = rpc_message
        self.rpc_data = rpc_data


class InputRequired(UpstreamDown):
    """The tool asks for more input, which only an agent on the MCP face can be asked for."""

    code = "input_required"

    def __init__(self, text: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.result = result or {}


class UpstreamTimeout(PointsmanError):
    """The server that owns the tool did not answer in time; the call may have run."""

    status = 504
    code = "upstream_timeout"


class FallbackDown(PointsmanError):
    """The fallback LLM cannot be reached, refused the request, or broke the protocol."""

    status = 502
    code = "fallback_down"


class FallbackTimeout(PointsmanError):
    """The fallback LLM did not answer in time."""

    status = 504
    code = "fallback_timeout"


class EngineDown(PointsmanError):
    """The engine cannot complete a prompt now."""

    status = 503
    code = "engine_down"
    retry_after = 2


class ConfigurationError(PointsmanError):
    """The configuration cannot be used; the message names the file and the key."""

    code = "configuration"
