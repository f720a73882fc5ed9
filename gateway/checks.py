"""The checks of one toolset, for proposals that no gateway is asked about: grading and measuring.

Validates and grounds a proposed call as `judge` does for what is live. Below stand the validators
and the grounding; what becomes of a checked call, `decide` says.
"""

from collections.abc import Sequence

from gateway.decide import CallCheck
from gateway.drift import DriftGrade
from gateway.grounding.ground import ungrounded
from gateway.types import Call, Message, Toolset
from gateway.validate import ArgumentError, ToolValidator


class ToolsetChecks:
    """The tools of a toolset, ready to check calls of them."""

    def __init__(self, toolset: Toolset) -> None:
        """Compile the validators. Raises SchemaError for a schema that cannot be used."""
        self._tools = toolset.by_name
        self._validators = {tool.name: ToolValidator(tool) for tool in toolset.tools}

    def check(
        self, call: Call, messages: Sequence[Message], drift: DriftGrade = "none"
    ) -> CallCheck:
        """What the checks say of one proposed call; `drift` is the grade of its tool."""
        tool = self._tools.get(call.tool)
        if tool is None:
            return CallCheck(call, None, drift=drift)
        return CallCheck(call, self._errors(call), ungrounded(call, tool, messages), drift)

    def allows(self, call: Call) -> bool:
        """Whether the toolset has the tool, and its schema allows the arguments."""
        return call.tool in self._tools and not self._errors(call)

    def _errors(self, call: Call) -> Sequence[ArgumentError]:
        return self._validators[call.tool].errors(call.arguments)
