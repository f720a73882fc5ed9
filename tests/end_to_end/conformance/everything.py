"""The upstream of the conformance suites: a server of both eras with all that their scenarios ask.

    python -m tests.end_to_end.conformance.everything PORT

Serves at `/mcp`, with an event store, so that a stream cut short can be taken up again. The tools
stand in `tools` and `rounds`; here are prompts, resources, completion, subscriptions and the lists
that change.
"""

import logging
import sys
import warnings
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp.types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolRequestParams,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    GetPromptRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextResourceContents,
    Tool,
    UnsubscribeRequestParams,
)

from tests.end_to_end.conformance.events import KeptEvents
from tests.end_to_end.conformance.prompts import PROMPTS, prompt
from tests.end_to_end.conformance.rounds import ROUNDS
from tests.end_to_end.conformance.tools import PNG, TOOLS, Ctx, plain, said

RETRY_MS = 100
_CHANGES: dict[str, ServerEvent] = {
    "test_trigger_tool_change": ToolsListChanged(),
    "test_trigger_prompt_change": PromptsListChanged(),
}
_NOW_AND_THEN = "test_now_and_then"
_RESOURCES = {
    "test://static-text": ("text/plain", "A text that never changes."),
    "test://watched-resource": ("text/plain", "A text to subscribe to."),
    "test://static-binary": ("image/png", PNG),
}
_TEMPLATE = "test://template/{id}/data"


class Everything(Server[Any]):
    """What it lists changes when a tool is called for that; who subscribed is told, which the
    handshake era cannot, and so is not promised it."""

    def __init__(self) -> None:
        self._calls = {tool.name: call for tool, call in (*TOOLS, *ROUNDS)}
        self._bus = InMemorySubscriptionBus()
        self._there: set[str] = set()
        super().__init__(
            "everything",
            version="1",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read,
            on_subscribe_resource=self._subscribe,
            on_unsubscribe_resource=self._unsubscribe,
            on_completion=self._complete,
            on_subscriptions_listen=ListenHandler(self._bus),
        )
        self.add_request_handler("logging/setLevel", SetLevelRequestParams, self._level)
        security = RequestStateSecurity.ephemeral()
        self.middleware.append(RequestStateBoundary(security, default_audience=self.name))

    async def _list_tools(self, _: Ctx, __: PaginatedRequestParams | None) -> ListToolsResult:
        tools = [tool for tool, _ in (*TOOLS, *ROUNDS)]
        changing = [plain(name, "Changes what is listed.") for name in _CHANGES]
        extra: list[Tool] = []
        if "test_trigger_tool_change" in self._there:
            extra = [plain(_NOW_AND_THEN, "Is there only sometimes.")]
        return ListToolsResult(tools=[*tools, *changing, *extra])

    async def _call_tool(self, ctx: Ctx, params: CallToolRequestParams) -> Any:
        if params.name in _CHANGES:
            self._there ^= {params.name}
            await self._bus.publish(_CHANGES[params.name])
            return said("what is listed has changed")
        if params.name not in self._calls:
            raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
        return await self._calls[params.name](ctx, params)

    async def _list_prompts(self, _: Ctx, __: PaginatedRequestParams | None) -> ListPromptsResult:
        found = [
            Prompt(
                name=name,
                description=told,
                arguments=[PromptArgument(name=a, required=True) for a in arguments],
            )
            for name, (told, arguments) in PROMPTS.items()
        ]
        if "test_trigger_prompt_change" in self._there:
            found.append(Prompt(name=_NOW_AND_THEN, description="Is there only sometimes."))
        return ListPromptsResult(prompts=found)

    async def _get_prompt(self, _: Ctx, params: GetPromptRequestParams) -> Any:
        return prompt(params)

    async def _list_resources(
        self, _: Ctx, __: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        found = [
            Resource(uri=uri, name=uri.split("//")[1], description="A resource.", mime_type=mime)
            for uri, (mime, _) in _RESOURCES.items()
        ]
        return ListResourcesResult(resources=found)

    async def _list_templates(
        self, _: Ctx, __: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        found = ResourceTemplate(uri_template=_TEMPLATE, name="data", mime_type="application/json")
        return ListResourceTemplatesResult(resource_templates=[found])

    async def _read(self, _: Ctx, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri = str(params.uri)
        before, after = _TEMPLATE.split("{id}")
        if uri in _RESOURCES:
            mime, content = _RESOURCES[uri]
        elif uri.startswith(before) and uri.endswith(after):
            number = uri.removeprefix(before).removesuffix(after)
            mime, content = "application/json", f'{{"id": "{number}"}}'
        else:
            raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})
        if mime == "image/png":
            blob = BlobResourceContents(uri=uri, mime_type=mime, blob=content)
            return ReadResourceResult(contents=[blob])
        return ReadResourceResult(
            contents=[TextResourceContents(uri=uri, mime_type=mime, text=content)]
        )

    async def _subscribe(self, _: Ctx, __: SubscribeRequestParams) -> EmptyResult:
        return EmptyResult()

    async def _unsubscribe(self, _: Ctx, __: UnsubscribeRequestParams) -> EmptyResult:
        return EmptyResult()

    async def _complete(self, _: Ctx, params: CompleteRequestParams) -> CompleteResult:
        return CompleteResult(completion=Completion(values=[f"{params.argument.value} and more"]))

    async def _level(self, _: Ctx, __: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()


def main() -> None:
    """Serve until told to stop."""
    # The older revisions are asked for what the newest calls deprecated, and half the scenarios
    # send what has to be refused.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    logging.getLogger("mcp").setLevel(logging.ERROR)
    app = Everything().streamable_http_app(event_store=KeptEvents(), retry_interval=RETRY_MS)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
