"""`calls list | label`: what the gateway was asked, and what a person says was right."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.commands.client import DEFAULT_URL, Gateway, Url, segment
from gateway.commands.output import (
    CANNOT_TELL,
    AsJson,
    CommandFailed,
    compact,
    print_json,
    print_line,
    print_table,
    reporting,
)

app = typer.Typer(no_args_is_help=True, help="The calls that a gateway has recorded.")
_REQUEST_CHARS, _ANSWER_CHARS = 50, 70


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 20,
    outcome: Annotated[str | None, typer.Option(help="Only those with this outcome.")] = None,
    labelled: Annotated[bool, typer.Option("--labelled", help="Only those with a label.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """List recorded calls with their ids and labels."""
    with reporting(as_json):
        wanted = f"&outcome={segment(outcome)}" if outcome else ""
        answer = Gateway(url).get(
            f"/admin/calls?limit={limit}&labelled={str(labelled).lower()}{wanted}"
        )
        if as_json:
            print_json(answer)
            return
        print_table(
            ("call", "at (UTC)", "outcome", "request", "answer", "label"),
            (_row(call) for call in answer["calls"]),
            empty="no calls are recorded",
        )


@app.command()
def label(
    call_id: Annotated[str, typer.Argument(metavar="ID", help="The call's id.")],
    target: Annotated[
        str, typer.Argument(help="right, wrong, or as JSON the answer that would have been right.")
    ],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say what a call ought to have been; `dataset import --from record` makes rows of it.

    The answer is a call {"tool", "arguments"}, {"calls": [...]}, or
    {"tool": "no_tool", "reason"}.
    """
    with reporting(as_json):
        answer = Gateway(url).post(
            f"/admin/calls/{segment(call_id)}/label", {"target": _target(target)}
        )
        print_json(answer) if as_json else print_line(f"call {call_id}: {_shown(answer['label'])}")


def _target(text: str) -> Any:
    if text in ("right", "wrong"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise CommandFailed(f"the target is not right, wrong, or JSON: {exc}", CANNOT_TELL) from exc


def _row(call: dict[str, Any]) -> tuple[Any, ...]:
    said = [content for role, content in call.get("messages") or () if role == "user"]
    answer = call.get("calls") or call.get("proposal") or call.get("reason") or ""
    return (
        call["id"],
        datetime.fromtimestamp(call["at"], UTC).strftime("%Y-%m-%d %H:%M:%S"),
        call["outcome"],
        compact(said[-1], _REQUEST_CHARS) if said else None,
        compact(answer, _ANSWER_CHARS),
        _shown(call.get("label")),
    )


def _shown(label: Any) -> str:
    return label or "" if isinstance(label, str | None) else compact(label)
