"""`engine start`: a vLLM server of our own, with the flags this gateway needs, kept serving."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.client import is_loopback
from gateway.commands.output import CANNOT_TELL, AsJson, CommandFailed, reporting

app = typer.Typer(no_args_is_help=True, help="The engine's own server.")


@app.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction]
    """The engine's own server."""
    # Without a callback typer would put a single verb in the place of its group.


@app.command()
def start(
    base_model: Annotated[
        str, typer.Option(help="The base model's folder, or its name on the Hugging Face hub.")
    ],
    extra: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- FLAGS...]", help="Flags for vLLM; they outrank ours."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port.")] = 8000,
    python: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The interpreter that has vLLM (default: this one, else .venv-vllm/bin/python).",
        ),
    ] = None,
    adapters_max: Annotated[
        int, typer.Option(min=1, max=1024, help="Adapters that may answer at the same moment.")
    ] = 4,
    max_rank: Annotated[int, typer.Option(help="The highest rank of an adapter.")] = 64,
    gpu_memory_utilization: Annotated[
        float | None,
        typer.Option(min=0.05, max=1.0, help="Share of the GPU's memory (default: vLLM's own)."),
    ] = None,
    log_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append vLLM's output here instead of to stderr."),
    ] = None,
    ready_within: Annotated[
        float, typer.Option(min=1, help="Seconds a start may take before it counts as failed.")
    ] = 900.0,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds vLLM may take to stop before it is killed.")
    ] = 15.0,
    allow_public: Annotated[
        bool, typer.Option("--allow-public", help="Listen where strangers may reach it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start vLLM and keep it serving until SIGTERM or Ctrl-C.

    Its build for a GPU is taken where there is a GPU, else the one for the
    CPU. A server that ends or hangs is started again, after a pause that
    grows; the gateway then brings its adapters back. One that never comes up
    is given up with exit code 1.

    vLLM's run-time loading of adapters lets whoever reaches it read files of
    this machine: it belongs on loopback or a private network, with the
    gateway as its only client.
    """
    with reporting(as_json):
        refuse_public(host, allow_public)
        # What serves takes a second to import that the other verbs need not wait for.
        from gateway.commands.engine_serving import serve_engine
        from gateway.engines.supervisor import Policy
        from gateway.engines.vllm_command import ServerOptions

        options = ServerOptions(
            base_model, host, port, adapters_max, max_rank, gpu_memory_utilization,
            tuple(extra or ()),
        )  # fmt: skip
        serve_engine(options, python, log_file, Policy(ready=ready_within, grace=grace), as_json)


def refuse_public(host: str, allowed: bool = False) -> None:
    """Raises CommandFailed unless only this machine or a private network reaches the host."""
    if allowed or is_loopback(host):
        return
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    # 0.0.0.0 counts as private, and means every network there is.
    if address is not None and address.is_private and not address.is_unspecified:
        return
    what = "is no address" if address is None else "is not private"
    raise CommandFailed(
        f"--host {host} {what}: whoever reaches vLLM can load files of this machine into it; give "
        "a loopback or private address, or --allow-public where a firewall stands before it",
        CANNOT_TELL,
    )
