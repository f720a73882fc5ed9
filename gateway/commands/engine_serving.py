"""Runs vLLM under supervision until a signal: what is told on the way, and where its lines go."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO

import gateway
from gateway.commands.listening import bind
from gateway.commands.output import CANNOT_TELL, CommandFailed, plain, print_json, print_line
from gateway.engines.child import Sink
from gateway.engines.supervisor import Ended, Policy, Ready, Supervisor
from gateway.engines.vllm_command import (
    Build,
    ServerOptions,
    find_build,
    has_gpu,
    places,
    server_command,
    server_environment,
)
from gateway.manifest import SERVABLE_RANKS
from gateway.observe import configure_logging

logger = logging.getLogger(__name__)
_PREFIX = "vllm | "


def serve_engine(
    options: ServerOptions,
    python: Path | None,
    log_file: Path | None,
    policy: Policy,
    as_json: bool,
) -> None:
    """Serve until SIGTERM or SIGINT; nothing of the server is left then.

    Raises:
        CommandFailed: the rank is not servable, or port or log file cannot be had.
        EngineDown: no vLLM is installed that runs here, or it never became ready.
    """
    if options.rank not in SERVABLE_RANKS:
        raise CommandFailed(f"--max-rank takes one of {SERVABLE_RANKS}", CANNOT_TELL)
    configure_logging("text")
    build = chosen_build(python)
    # Another server there would answer for ours, and ours could not say that it is not the one.
    bind(options.host, options.port).close()
    with _lines(log_file) as sink:
        asyncio.run(_serve(build, options, sink, policy, as_json))


def chosen_build(python: Path | None) -> Build:
    """The vLLM to run on this machine. Raises EngineDown if there is none."""
    gpu = has_gpu(os.environ)
    beside = (Path.cwd(), Path(gateway.__file__).parents[1])
    build = find_build(places(python, Path(sys.executable), beside), gpu=gpu)
    if gpu and build.device == "cpu":
        logger.warning("a GPU is here, but %s has vLLM's CPU build", build.python)
    return build


async def _serve(
    build: Build, options: ServerOptions, sink: Sink, policy: Policy, as_json: bool
) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    url = f"http://{host}:{options.port}"
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    supervisor = Supervisor(
        server_command(build, options),
        server_environment(build, options, os.environ),
        f"{url}/health",
        sink=sink,
        news=_teller(build, url, as_json),
        policy=policy,
    )
    await supervisor.run(stop)


def _teller(build: Build, url: str, as_json: bool) -> Callable[[Ready | Ended], None]:
    """The first readiness is what the command says on stdout; all else is logged."""

    def tell(news: Ready | Ended) -> None:
        if isinstance(news, Ended):
            logger.warning(
                "vLLM (pid %d) is gone: %s; it is started again in %.1f s",
                news.pid, news.why, news.pause, extra={"event": "engine_ended"},
            )  # fmt: skip
        elif news.starts > 1:
            logger.info(
                "vLLM (pid %d) serves again, %.1f s after start number %d",
                news.pid, news.seconds, news.starts, extra={"event": "engine_ready"},
            )  # fmt: skip
        elif as_json:
            seconds = round(news.seconds, 1)
            print_json(
                {"url": url, "pid": news.pid, "seconds": seconds,
                 "vllm": build.version, "device": build.device}
            )  # fmt: skip
        else:
            print_line(
                f"vLLM {build.version} ({build.device}) is up at {url} after {news.seconds:.0f} s, "
                f"pid {news.pid} (Ctrl-C stops it)"
            )

    return tell


@contextlib.contextmanager
def _lines(log_file: Path | None) -> Generator[Sink]:
    """Where vLLM's lines go: as they are into a file, or to stderr, marked and harmless."""
    if log_file is None:
        yield _to_stderr
        return
    try:
        file: IO[bytes] = log_file.open("ab", buffering=0)
    except OSError as exc:
        raise CommandFailed(f"--log-file {log_file}: {exc.strerror}", CANNOT_TELL) from exc

    def write(line: bytes) -> None:
        file.write(line + b"\n")

    with contextlib.closing(file):
        yield write


def _to_stderr(line: bytes) -> None:
    text = plain(line.decode(errors="replace").rstrip())
    print(_PREFIX + text, file=sys.stderr, flush=True)
