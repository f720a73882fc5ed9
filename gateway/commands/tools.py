"""`tools`: what is live, what waits for a person's approval, and the approval itself."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from gateway.commands.client import DEFAULT_URL, Gateway, Url, segment
from gateway.commands.output import (
    AsJson,
    CommandFailed,
    compact,
    print_json,
    print_line,
    print_table,
    reporting,
)

app = typer.Typer(invoke_without_command=True, help="List the live tools; approve held ones.")
_FORBIDDEN = (401, 403)


@app.callback()
def tools(context: typer.Context, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the live tools, their servers and the toolsets; approve what is held."""
    if context.invoked_subcommand is not None:
        return
    with reporting(as_json):
        gateway = Gateway(url)
        answer = gateway.get("/v1/tools")
        if as_json:
            print_json(answer)
            return
        print_table(
            ("tool", "server", "fingerprint", "description"),
            (
                (tool["name"], tool["server"], tool["fingerprint"][:8], _first_line(tool))
                for tool in answer["tools"]
            ),
            empty="no tool is live; `pointsman servers list` shows why",
        )
        for toolset in answer["toolsets"]:
            fingerprint = toolset["fingerprint"][:8]
            print_line(f"toolset {toolset['name']}: {len(toolset['tools'])} tools, {fingerprint}")
        for item in answer["left_out"]:
            print_line(f"left out: {item['tool']} of {item['server']}: {item['reason']}")
        for tool in answer["tools"]:
            _print_flags(tool["name"], tool["flags"])
        if answer["held"]:
            _print_held(gateway, answer["held"])


@app.command()
def held(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show every tool that waits for an approval, and what is new about it."""
    with reporting(as_json):
        answer = Gateway(url).get("/admin/tools/held")
        if as_json:
            print_json(answer)
            return
        for item in answer["held"]:
            _print_item(item)
        if not answer["held"]:
            print_line("no tool waits for an approval")


@app.command()
def approve(
    name: Annotated[str, typer.Argument(help="The tool's name as `pointsman tools` shows it.")],
    fingerprint: Annotated[
        str | None,
        typer.Option(help="Approve only this definition, by its fingerprint or the start of it."),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Approve the definition of a tool that waits, and show what was approved."""
    with reporting(as_json):
        gateway = Gateway(url)
        item = next(
            (h for h in gateway.get("/admin/tools/held")["held"] if h["tool"] == name), None
        )
        if item is None:
            raise CommandFailed(f"nothing of tool {name!r} waits for an approval")
        if fingerprint is not None and not item["fingerprint"].startswith(fingerprint):
            raise CommandFailed(
                f"the definition of {name} that waits has fingerprint {item['fingerprint']}"
            )
        # The digest of what is shown here: a server that changes its mind meanwhile is refused.
        body = {"fingerprint": item["fingerprint"], "definition": item["definition"]}
        answer = gateway.post(f"/admin/tools/{segment(name)}/approve", body)
        if as_json:
            print_json(answer)
            return
        _print_item(item)
        print_line(f"approved {name}")


def _print_held(gateway: Gateway, named: Sequence[dict[str, Any]]) -> None:
    try:
        items = gateway.get("/admin/tools/held")["held"]
    except CommandFailed as exc:
        if exc.problem.get("status") not in _FORBIDDEN:
            raise
        for item in named:  # what waits is told to admins alone
            print_line(f"held: {item['tool']} of {item['server']}, {item['state']}")
        return
    for item in items:
        _print_item(item)


def _print_item(item: dict[str, Any]) -> None:
    print_line(
        f"held: {item['tool']} of {item['server']}, {item['state']}, "
        f"fingerprint {item['fingerprint'][:8]}"
    )
    if item["state"] == "new":
        print_line(f"  {compact(item['listed'])}")
    for change in item["changes"]:
        print_line(f"  {change['pointer']}: {change['grade']}")
        print_line(f"    before: {compact(change['before'])}")
        print_line(f"    after:  {compact(change['after'])}")
    _print_flags(item["tool"], item["flags"])


def _print_flags(tool: str, flags: Sequence[dict[str, Any]]) -> None:
    for flag in flags:
        print_line(f"flagged: {tool} {flag['pointer']}: {flag['kind']}: {flag['text']}")


def _first_line(tool: dict[str, Any]) -> str:
    lines = str(tool.get("description") or "").strip().splitlines() or [""]
    return lines[0]
