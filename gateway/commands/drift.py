"""`drift`: how far the live tools are from what each adapter was trained on, for people and CI.

The exit code is the worst grade. What cannot be told (no gateway, no adapter, a toolset that was
never listed) is 2, unless something else has already broken.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.commands.adapters import is_folder
from gateway.commands.client import DEFAULT_URL, Gateway, Url
from gateway.commands.output import (
    CANNOT_TELL,
    DEFAULT_BASE_MODEL,
    AsJson,
    CommandFailed,
    compact,
    complain,
    print_json,
    print_line,
    reporting,
)

if TYPE_CHECKING:
    from gateway.adapters.active import Active

MILD, HARMFUL = 10, 11
CODES = {
    "none": 0, "notation": 0,
    "description": MILD, "compatible": MILD, "added": MILD,
    "breaking": HARMFUL, "renamed": HARMFUL, "removed": HARMFUL,
}  # fmt: skip
_ONE_LINE = 100


def mount(app: typer.Typer) -> None:
    """Register the verb."""
    app.command()(drift)


def drift(
    adapter: Annotated[
        str | None,
        typer.Option(help="Only this one: a name or name@digest in service, or any folder."),
    ] = None,
    servers: Annotated[
        Path | None,
        typer.Option(help="Ask these servers, of a configuration file, instead of a gateway."),
    ] = None,
    wait_s: Annotated[
        float, typer.Option("--wait", min=0.1, help="Seconds to wait for a server's tools.")
    ] = 30.0,
    measure: Annotated[
        bool, typer.Option("--measure", help="Replay the adapter's rows: what the drift costs.")
    ] = False,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Measure with so many rows, evenly spread.")
    ] = None,
    base_model: Annotated[
        Path, typer.Option(help="Base model to measure with.")
    ] = DEFAULT_BASE_MODEL,
    data: Annotated[
        Path | None, typer.Option(help="Data set that the adapter was trained on, to heal it.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Write here what to do about the drift, row by row.")
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(help="Write the rows for the live tools into this new folder.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="SPLIT=ROWS: apply to so many rows of a split, evenly spread."),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Compare the live tools with what the adapters were trained on.

    Exits with 0 for none or notation, 10 for description, compatible or
    added, 11 for breaking, renamed or removed, 2 if it cannot be told.
    """
    with reporting(as_json):
        if measure and servers is None:
            raise CommandFailed(
                "--measure asks servers itself: name them with --servers", CANNOT_TELL
            )
        if plan is not None or apply is not None:
            if data is None:
                raise CommandFailed("--plan and --apply want --data", CANNOT_TELL)
            active = _beside(url, adapter) if servers is None else _alone(servers, adapter, wait_s)
            found = [_healed(active, (data, plan, apply), keep or (), as_json)]
        elif servers is not None:
            replayed = (base_model, rows) if measure else None
            found = _of_servers(servers, Path(adapter) if adapter else None, wait_s, replayed)
        else:
            gateway = Gateway(url, failure=CANNOT_TELL)
            if adapter is not None and is_folder(adapter):
                found = [_of_folder(gateway, Path(adapter))]
            else:
                found = _of_service(gateway, adapter)
        if as_json:
            print_json({"adapters": found})
        elif plan is None and apply is None:
            for item in found:
                _print(item)
        unlisted = [item["adapter"] for item in found if not item["listed"]]
        code = max(CODES[item["grade"]] for item in found)
        if unlisted and code != HARMFUL:
            complain(f"not every server of {', '.join(unlisted)} has listed its tools yet")
            code = CANNOT_TELL
        raise typer.Exit(code)


def _of_service(gateway: Gateway, adapter: str | None) -> Sequence[dict[str, Any]]:
    everything = gateway.get("/admin/drift")["adapters"]
    found = [item for item in everything if adapter is None or _is(item["adapter"], adapter)]
    if not found:
        known = ", ".join(item["adapter"] for item in everything) or "none"
        wanted = f"adapter {adapter!r} is not" if adapter else "no adapter is"
        raise CommandFailed(f"{wanted} in service; in service: {known}", CANNOT_TELL)
    return found


def _is(version: str, wanted: str) -> bool:
    name, _, digest = wanted.partition("@")
    return version.partition("@")[0] == name and wanted.startswith(version if digest else name)


def _of_servers(
    servers: Path, folder: Path | None, wait_s: float, replayed: tuple[Path, int | None] | None
) -> Sequence[dict[str, Any]]:
    """Drift of adapter folders on the tools of servers; `replayed` measures it."""
    from gateway.commands.impact import measured
    from gateway.commands.preflight import compared

    found: list[dict[str, Any]] = []
    for item in asyncio.run(compared(servers, folder, wait_s)):
        value = item.as_dict()
        if replayed and not item.unreachable:
            impact = measured(item, *replayed)
            value |= {"impact": impact.as_dict(), "measured": impact.summary}
        found.append(value)
    return found


def _healed(
    active: "Active",
    wanted: tuple[Path, Path | None, Path | None],
    keep: Sequence[str],
    as_json: bool,
) -> dict[str, Any]:
    """Drift of one adapter with the plan to heal it; `wanted` is data, plan and out."""
    from gateway.commands.heal import heal, kept
    from gateway.faces.drift import drift_as_dict

    plan = heal(active, *wanted, kept(keep), told=not as_json)
    return drift_as_dict(active) | {"plan": plan}


def _alone(servers: Path, adapter: str | None, wait_s: float) -> "Active":
    """One adapter folder beside the tools of servers, every one of which must list."""
    from gateway.commands.preflight import compared

    found = asyncio.run(compared(servers, Path(adapter) if adapter else None, wait_s))
    if len(found) != 1:
        raise CommandFailed(
            f"{servers} names {len(found)} adapters; name one with --adapter", CANNOT_TELL
        )
    why = "; ".join(f"{server}: {reason}" for server, reason in found[0].unreachable.items())
    if why:
        raise CommandFailed(f"no plan without every server's tools: {why}")
    return found[0].active


def _beside(url: str, adapter: str | None) -> "Active":
    """One adapter folder beside the tools that a gateway serves now."""
    from gateway.commands.live import beside

    if adapter is None or not is_folder(adapter):
        raise CommandFailed(
            "--plan and --apply read what the adapter learned from its folder: name it with "
            "--adapter FOLDER",
            CANNOT_TELL,
        )
    return beside(Gateway(url, failure=CANNOT_TELL), Path(adapter))


def _of_folder(gateway: Gateway, folder: Path) -> dict[str, Any]:
    """Drift of an adapter that need not be in service, on the live toolset it was trained on."""
    # The MCP types take half a second that asking about a name need not wait for.
    from gateway.commands.live import beside
    from gateway.faces.drift import drift_as_dict

    return drift_as_dict(beside(gateway, folder))


def _print(item: dict[str, Any]) -> None:
    grade = item["grade"] if item["listed"] else "cannot be told yet"
    if item["listed"] and item["toolset_mode"] == "varied":
        grade = "none, it is asked with whatever is on offer"
    print_line(f"{item['adapter']} on toolset {item['toolset']}: {grade}")
    for tool in item["tools"]:
        renamed = f" to {tool['renamed_to']}" if tool.get("renamed_to") else ""
        print_line(f"  {tool['tool']}: {tool['grade']}{renamed}")
        for change in tool["changes"]:
            if not renamed:
                _print_change(change)
    for server, reason in item.get("unreachable", {}).items():
        print_line(f"  {server}: {reason}")
    progress = item.get("measuring")
    if progress and progress["failed"]:
        print_line(f"  not measured: {progress['failed']}")
    elif progress and not item["impact"]:
        print_line(f"  measuring: {progress['asked']} of {progress['of']} rows asked")
    if item.get("impact"):
        from gateway.commands.impact import print_impact

        print_impact(item["impact"], item["measured"])


def _print_change(change: dict[str, Any]) -> None:
    before, after = (_value(change[key]) for key in ("before", "after"))
    if len(before) + len(after) <= _ONE_LINE:
        print_line(f"    {change['pointer']} ({change['grade']}): {before} -> {after}")
    else:
        print_line(f"    {change['pointer']} ({change['grade']}):")
        print_line(f"      - {before}")
        print_line(f"      + {after}")


def _value(value: Any) -> str:
    return "absent" if value is None else compact(value, 400)
