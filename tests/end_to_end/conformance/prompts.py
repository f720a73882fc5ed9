"""The prompts that the conformance scenarios ask for."""

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    ElicitResult,
    EmbeddedResource,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    PromptMessage,
    TextContent,
    TextResourceContents,
)
from mcp.types import ContentBlock as Content

from tests.end_to_end.conformance.tools import PNG, form

PROMPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "test_simple_prompt": ("Says one sentence.", ()),
    "test_prompt_with_arguments": ("Says both arguments.", ("arg1", "arg2")),
    "test_prompt_with_embedded_resource": ("Carries a resource.", ("resourceUri",)),
    "test_prompt_with_image": ("Carries an image.", ()),
    "test_input_required_result_prompt": ("Asks for its context first.", ()),
}
"""Name -> description and names of the arguments."""


def prompt(params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    """One prompt. Raises MCPError if there is none of that name."""
    given = params.arguments or {}
    if params.name == "test_simple_prompt":
        return _of(_text("Say hello."))
    if params.name == "test_prompt_with_arguments":
        return _of(_text(f"One is {given.get('arg1')}, two is {given.get('arg2')}."))
    if params.name == "test_prompt_with_embedded_resource":
        uri = str(given.get("resourceUri"))
        read = TextResourceContents(uri=uri, mime_type="text/plain", text="What stands there.")
        return _of(EmbeddedResource(type="resource", resource=read), _text("Read this."))
    if params.name == "test_prompt_with_image":
        image = ImageContent(type="image", data=PNG, mime_type="image/png")
        return _of(image, _text("Look at this."))
    if params.name == "test_input_required_result_prompt":
        answer = (params.input_responses or {}).get("user_context")
        if isinstance(answer, ElicitResult) and answer.content:
            return _of(_text(f"The context is {answer.content.get('context')}."))
        asked = form("What is the context?", context={"type": "string"})
        return InputRequiredResult(input_requests={"user_context": asked})
    raise MCPError(INVALID_PARAMS, f"Unknown prompt: {params.name}")


def _of(*contents: Content) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=c) for c in contents])


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
