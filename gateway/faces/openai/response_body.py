"""The body of `POST /v1/responses`: what is asked, and what must be refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.adapters.active import Active
from gateway.choice import Choice
from gateway.drift import DriftGrade
from gateway.errors import BadRequest
from gateway.faces.openai.errors import Unsupported
from gateway.faces.openai.items import Item
from gateway.faces.openai.mcp_tool import McpTool, Offer
from gateway.faces.openai.messages import OfferedFunction
from gateway.faces.openai.parameters import Refused, choice_of, only, refuse
from gateway.turn import Turn

Offers = Mapping[str, Mapping[str, Offer]]
_REFUSED = (
    "background", "conversation", "prompt", "top_logprobs", "moderation", "context_management",
)  # fmt: skip


class FunctionTool(OfferedFunction):
    """A member of `tools` with the type `function`, which here has no level of its own."""

    type: Literal["function"]
    strict: bool | None = None


OfferedTool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]


class Reasoning(BaseModel):
    """`reasoning`; no summary of it is ever written."""

    model_config = ConfigDict(extra="forbid")
    effort: str | None = None


class ResponsesBody(BaseModel):
    """Body of `POST /v1/responses`.

    Temperature and the like, `reasoning` and `text.verbosity` are for the fallback alone.
    """

    model: str = "auto"
    input: str | list[Item]
    instructions: str | None = None
    tools: list[OfferedTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    max_tool_calls: Annotated[int, Field(ge=1)] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    user: str | None = None
    text: dict[str, Any] | None = None
    reasoning: Reasoning | None = None
    stream: bool | None = None
    include: list[str] | None = None
    truncation: Annotated[str | None, only("disabled")] = None
    background: Refused = None
    conversation: Refused = None
    prompt: Refused = None
    top_logprobs: Refused = None
    moderation: Refused = None
    context_management: Refused = None

    def refuse_unsupported(self) -> None:
        """Raises Unsupported naming the first setting that cannot be honoured."""
        refuse(self, _REFUSED)
        if self.truncation not in (None, "disabled"):
            raise Unsupported("truncation", "truncation must be disabled: nothing is left out")
        # What else may be included belongs to items that no response of ours has.
        if "message.output_text.logprobs" in (self.include or ()):
            raise Unsupported("include", "message.output_text.logprobs are not supported")
        if (self.text or {}).get("format") not in (None, {"type": "text"}):
            raise Unsupported("text.format", "text.format must be text: the router writes calls")

    @property
    def told(self) -> dict[str, Any]:
        """What a response tells back of them."""
        return {
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "metadata": self.metadata or {},
            "parallel_tool_calls": self.parallel_tool_calls is not False,
            "previous_response_id": self.previous_response_id,
            "reasoning": self.reasoning and self.reasoning.model_dump(),
            "store": self.store is not False,
            "temperature": self.temperature,
            "tool_choice": self.tool_choice or "auto",
            "tools": [tool.model_dump(exclude_none=True) for tool in self.tools or ()],
            "top_p": self.top_p,
            "user": self.user,
        }

    @property
    def new_items(self) -> list[Item]:
        """The input as items. Raises BadRequest for one that cannot be told from others."""
        if isinstance(self.input, str):
            return [{"type": "message", "role": "user", "content": self.input}]
        for index, item in enumerate(self.input):
            for key in ("type", "id", "server_label"):
                if not isinstance(item.get(key), str | None):
                    raise BadRequest(f"input[{index}].{key} must be a text")
        return list(self.input)

    @property
    def choice(self) -> Choice:
        """Which tools may be called. Raises Unsupported."""
        value = self.tool_choice
        if isinstance(value, dict) and value.get("type") in ("function", "mcp"):
            value = {"type": "function", "function": {"name": value.get("name")}}
        return choice_of(value, self.parallel_tool_calls)

    @property
    def settings(self) -> dict[str, Any]:
        """What goes on to the fallback, by the names of Chat Completions."""
        wanted = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "user": self.user,
            "max_completion_tokens": self.max_output_tokens,
            "reasoning_effort": self.reasoning and self.reasoning.effort,
            "verbosity": self.text and self.text.get("verbosity"),
        }
        return {key: value for key, value in wanted.items() if value is not None}

    def turn(self, active: Active, found: Offers, withheld: frozenset[DriftGrade]) -> Turn:
        """What is asked, but for its messages. Raises BadRequest.

        Tools of servers that the adapter serves are routed as ever, with drift and all. Beside
        tools of the agent, or from elsewhere, they are offered like the agent's own; one that
        drifted is left out then, because nothing else would withhold its calls.
        """
        own = [tool.tool for tool in self.tools or () if isinstance(tool, FunctionTool)]
        served = [offer.entry.tool for tools in found.values() for offer in tools.values()]
        names = frozenset(tool.name for tool in served)
        double = sorted(names & {tool.name for tool in own})
        if double:
            raise BadRequest(f"tool {double[0]!r} is offered twice, by the agent and by a server")
        tools = only = None
        if self.tools is not None:
            live = active.live.by_name if active.live else {}
            if served and not own and names <= live.keys():
                only = names
            else:
                masked = {n for n in names if active.drift.grade_of(n) in withheld}
                tools = (*own, *(tool for tool in served if tool.name not in masked))
        return Turn(
            face="responses",
            model=self.model,
            messages=(),
            spoken=(),
            tools=tools,
            only=only,
            choice=self.choice,
            settings=self.settings,
            stream=bool(self.stream),
        )
