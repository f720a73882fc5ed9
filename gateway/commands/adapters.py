"""`adapters add | list | activate | promote | rollback | remove`: what a router learned,
hot-swapped, or tried beside what serves."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.client import DEFAULT_URL, Gateway, Url, segment
from gateway.commands.output import (
    CANNOT_TELL,
    AsJson,
    CommandFailed,
    print_json,
    print_line,
    print_table,
    reporting,
)

app = typer.Typer(no_args_is_help=True, help="The adapters a gateway keeps and serves.")
Adapter = Annotated[str, typer.Argument(help="A name, name@digest, or an adapter folder.")]
Toolset = Annotated[
    str | None,
    typer.Option(help="The toolset to serve (default: the one served so far or trained on)."),
]


@app.command()
def add(
    folder: Annotated[Path, typer.Argument(help="An adapter folder on the gateway's machine.")],
    activate: Annotated[bool, typer.Option("--activate", help="Bring it into service.")] = False,
    toolset: Toolset = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Check an adapter folder and copy it into the gateway's store."""
    with reporting(as_json):
        if toolset and not activate:
            raise CommandFailed("--toolset goes with --activate", CANNOT_TELL)
        gateway = Gateway(url)
        adapter = gateway.post("/admin/adapters", {"folder": str(folder.absolute())}, patient=True)
        if activate:
            try:
                adapter = _activate(gateway, adapter["version"], toolset)
            except CommandFailed as exc:
                stored = f"{adapter['version']} is stored, but not in service: {exc}"
                raise CommandFailed(stored, exc.exit_code, problem=exc.problem) from exc
        _show(adapter, as_json)


@app.command("list")
def list_(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List every stored version, and which are in service."""
    with reporting(as_json):
        answer = Gateway(url).get("/admin/adapters")
        if as_json:
            print_json(answer)
            return
        print_table(
            ("adapter", "in service for", "drift", "rollback to", "base model", "created"),
            (
                (
                    adapter["version"],
                    _service(adapter),
                    adapter["drift"],
                    adapter["previous"],
                    adapter["base_model"],
                    adapter["created"],
                )
                for adapter in answer["adapters"]
            ),
            empty="no adapter is stored; `pointsman adapters add FOLDER` takes one in",
        )


@app.command()
def activate(
    adapter: Adapter,
    toolset: Toolset = None,
    canary: Annotated[
        float | None,
        typer.Option(help="Try it on this percentage of the conversations (above 0, at most 50)."),
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Try it beside the version in service, unused.")
    ] = False,
    auto: Annotated[
        bool, typer.Option("--auto", help="Let figures end the trial: promoted or rolled back.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Bring a stored version, or the newest of a name, into service or on trial."""
    with reporting(as_json):
        if canary is not None and shadow:
            raise CommandFailed("a trial is a --canary or a --shadow, not both", CANNOT_TELL)
        if auto and canary is None and not shadow:
            raise CommandFailed("--auto goes with --canary or --shadow", CANNOT_TELL)
        if canary is not None and not 0 < canary <= 50:
            raise CommandFailed("--canary takes a percentage above 0, at most 50", CANNOT_TELL)
        trial = {"canary": canary, "shadow": shadow, "auto": auto}
        asked = trial if canary is not None or shadow else {}
        _show(_activate(Gateway(url), version_of(adapter), toolset, **asked), as_json)


@app.command()
def promote(adapter: Adapter, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Bring the version on trial into service."""
    with reporting(as_json):
        name = version_of(adapter)
        _show(Gateway(url).post(f"/admin/adapters/{segment(name)}/promote"), as_json)


@app.command()
def rollback(adapter: Adapter, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """End the trial under way; without one, bring the version before back into service."""
    with reporting(as_json):
        name = version_of(adapter).partition("@")[0]
        _show(Gateway(url).post(f"/admin/adapters/{segment(name)}/rollback"), as_json)


@app.command()
def remove(adapter: Adapter, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Delete a stored version that is neither in service nor kept for a rollback."""
    with reporting(as_json):
        answer = Gateway(url).delete(f"/admin/adapters/{segment(version_of(adapter))}")
        print_json(answer) if as_json else print_line(f"removed adapter {answer['removed']}")


def version_of(adapter: str) -> str:
    """What a gateway calls an adapter that the user named, or pointed to as a folder.

    Raises:
        AdapterRefused: the folder is no adapter.
    """
    if not is_folder(adapter):
        return adapter
    # The MCP types take half a second that a name need not wait for.
    from gateway.manifest import read_adapter

    return read_adapter(Path(adapter)).version


def is_folder(adapter: str) -> bool:
    """Whether the user means a folder: it holds a slash, which no name does, or a manifest."""
    return "/" in adapter or (Path(adapter) / "manifest.json").is_file()


def _activate(
    gateway: Gateway, version: str, toolset: str | None, **trial: float | bool | None
) -> dict[str, Any]:
    path = f"/admin/adapters/{segment(version)}/activate"
    return gateway.post(path, {"toolset": toolset, **trial}, patient=True)


def _service(adapter: dict[str, Any]) -> str | None:
    """What a version serves: a toolset, for all or on trial."""
    trial = adapter["trial"]
    if trial is None or trial["version"] != adapter["version"]:
        return adapter["toolset"]
    share = f" {trial['share']:g} %" if trial["kind"] == "canary" else ""
    return f"{adapter['toolset']} ({trial['kind']}{share})"


def _show(adapter: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(adapter)
        return
    state = "stored, not in service"
    if adapter["toolset"] is not None:
        kind = "in service" if adapter["in_service"] else "on trial"
        state = f"{kind} for toolset {_service(adapter)}"
        drift = adapter["drift"]
        state += f", drift {drift}: `pointsman drift` shows it" if drift != "none" else ""
    print_line(f"adapter {adapter['version']}: {state}")
