"""`route` and `call`: what an agent does with a gateway, by hand."""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from gateway.commands.client import DEFAULT_URL, Gateway, Url
from gateway.commands.output import (
    CANNOT_TELL,
    FAILED,
    AsJson,
    CommandFailed,
    compact,
    print_json,
    print_line,
    reporting,
)

NOT_CALLED = 3


def mount(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command()(route)
    app.command()(call)


def route(
    text: Annotated[str, typer.Argument(help="The request, in plain words.")],
    model: Annotated[str, typer.Option(help="An adapter or toolset in service.")] = "auto",
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least confidence for a call; 0 never abstains for it."),
    ] = None,
    dispatch: Annotated[bool, typer.Option("--dispatch", help="Make the calls too.")] = False,
    local: Annotated[
        bool, typer.Option("--local", help="Route in this process, without a gateway.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration for --local.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Ask the router which call a request needs.

    Exits with 0 for a call, 3 for no_tool, abstained or invalid, 1 if the
    gateway or a dispatched tool failed.
    """
    with reporting(as_json):
        if not text:
            raise CommandFailed("the request is empty", CANNOT_TELL)
        if local != (config is not None):
            raise CommandFailed("--local and --config FILE belong together", CANNOT_TELL)
        body = {"request": text, "model": model, "dispatch": dispatch, "threshold": threshold}
        if config is not None:
            # FastAPI and the MCP SDK take a second that asking a gateway need not wait for.
            from gateway.commands.local import route_here

            reply = asyncio.run(route_here(config, text, model, dispatch, threshold))
        else:
            reply = Gateway(url).post("/v1/route", body, patient=True)
        print_json(reply) if as_json else _print_reply(reply)
        if reply["outcome"] != "call":
            raise typer.Exit(NOT_CALLED)
        if any(result.get("isError") for result in reply["results"] or ()):
            raise typer.Exit(FAILED)


def call(
    tool: Annotated[str, typer.Argument(help="The tool's name as `pointsman tools` shows it.")],
    arguments: Annotated[
        str, typer.Argument(metavar="JSON", help="Its arguments, one JSON object.")
    ] = "{}",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Validate one call and make it, without the router.

    Exits with 1 if the call is refused or the tool answers with an error.
    """
    with reporting(as_json):
        body = {"tool": tool, "arguments": _object(arguments)}
        result = Gateway(url).post("/v1/tools/call", body, patient=True)
        if as_json:
            print_json(result)
        else:
            _print_result(result)
        if result.get("isError"):
            raise typer.Exit(FAILED)


def _print_reply(reply: dict[str, Any]) -> None:
    confidence = reply["confidence"]
    sure = "" if confidence is None else f"confidence {confidence:.2f}, "
    reason = ": ".join(part for part in (reply["reason_code"], reply["reason"]) if part)
    print_line(f"{reply['outcome']}  {reason}".rstrip())
    for call in reply["calls"]:
        print_line(f"  {call['tool']} {compact(call['arguments'])}")
    for call in reply["proposal"] or ():
        print_line(f"  withheld: {call['tool']} {compact(call['arguments'])}")
    for result in reply["results"] or ():
        _print_result(result)
    print_line(f"  {sure}{reply['model']}, {reply['timings_ms']['total']:.0f} ms")


def _print_result(result: dict[str, Any]) -> None:
    blocks = cast(list[dict[str, Any]], result.get("content") or [])
    texts = [str(block.get("text") or f"[{block.get('type')}]") for block in blocks]
    text = "\n".join(texts) or compact(result.get("structuredContent") or {})
    print_line(f"the tool failed: {text}" if result.get("isError") else text)


def _object(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        value: Any = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as exc:
        raise CommandFailed(f"the arguments are not JSON: {exc}", CANNOT_TELL) from exc
    if not isinstance(value, dict):
        raise CommandFailed("the arguments must be one JSON object", CANNOT_TELL)
    return cast(dict[str, Any], value)
