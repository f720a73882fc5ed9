"""The real processes behind the tests and benches with vLLM: `engine start` and `serve`.

Talks to both over their command lines and HTTP alone, so that it holds whatever is inside. (The
folder is not named `vllm`: pytest puts the one above it on the path, and then TRL finds a vLLM.)
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.ports import free_port

ROOT = Path(__file__).parents[3]
POINTSMAN = Path(sys.executable).parent / "pointsman"
BASE_MODEL = ROOT / ".models" / "smollm2-135m-instruct"
SUPPORT = ROOT / "deploy" / "adapters" / "support"
START_S = 600.0
NO_ADAPTER = "no adapter is in service"
SERVER = """
log = "json"
adapter_store = "{folder}/store"
[[servers]]
name = "support"
command = "{python}"
args = ["-m", "mcp_servers.support", "--today", "2026-11-02"]
cwd = "{root}"
[[toolsets]]
name = "support"
servers = ["support"]
[records]
path = "{folder}/records.sqlite"
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """vLLM as `engine start` announced it; `process` is the supervisor, `pid` the server."""

    url: str
    pid: int
    process: "subprocess.Popen[str]"
    log: Path


@dataclass(frozen=True, slots=True)
class Gateway:
    """`serve`, ready to route."""

    url: str
    client: httpx.Client
    process: "subprocess.Popen[bytes]"
    log: Path

    def route(self, request: str, **body: Any) -> dict[str, Any]:
        """The body of a reply; anything but 200 is an error."""
        answer = self.client.post("/v1/route", json={"request": request, **body})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add(self, folder: Path) -> str:
        """Bring an adapter folder into the store; returns its version."""
        answer = self.client.post("/admin/adapters", json={"folder": str(folder)})
        assert answer.status_code == 201, answer.text
        return answer.json()["version"]

    def activate(self, version: str) -> httpx.Response:
        """The answer to bringing a version into service."""
        return self.client.post(f"/admin/adapters/{version}/activate", timeout=None)


@contextlib.contextmanager
def engine(folder: Path, *flags: str, base_model: Path = BASE_MODEL) -> Generator[Engine]:
    """A vLLM server of our own, started with the product's command; its log lies in `folder`."""
    log = folder / "engine.log"
    command = [str(POINTSMAN), "engine", "start", "--json", "--base-model", str(base_model)]
    command += ["--port", str(free_port()), *flags]
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=out, text=True
        ) as process,
    ):
        try:
            document = _document(process, log)
            yield Engine(document["url"], document["pid"], process, log)
        finally:
            process.terminate()
            process.wait(60)


@contextlib.contextmanager
def gateway(
    folder: Path, engine_config: str, adapters: Sequence[Path] = (SUPPORT,)
) -> Generator[Gateway]:
    """A gateway before the order desk, with an engine as its configuration names it."""
    text = SERVER.format(folder=folder, python=sys.executable, root=ROOT)
    text += f"[engine]\n{engine_config}\n"
    text += "".join(f'[[adapters]]\nfolder = "{a}"\ntoolset = "support"\n' for a in adapters)
    config = folder / "pointsman.toml"
    config.write_text(text)
    log, port = folder / "gateway.log", free_port()
    command = [str(POINTSMAN), "serve", "--config", str(config), "--port", str(port)]
    with (
        log.open("w") as out,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=out) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
                found = Gateway(url, client, process, log)
                wait(lambda: _ready(found, not adapters), log)
                yield found
        finally:
            process.terminate()
            process.wait(60)


def vllm_config(url: str, base_model: Path = BASE_MODEL) -> str:
    """The engine section for one vLLM server."""
    return f'kind = "vllm"\nurl = "{url}"\nbase_model = "{base_model}"'


def local_config(base_model: Path = BASE_MODEL) -> str:
    """The engine section for the embedded engine."""
    return f'kind = "local"\nbase_model = "{base_model}"'


def wait(holds: Callable[[], bool], log: Path, within_s: float = START_S) -> None:
    """Wait until something holds; if it does not in time, fail with the log's end."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(tail(log))
        time.sleep(0.1)


def tail(log: Path, lines: int = 40) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _document(process: "subprocess.Popen[str]", log: Path) -> dict[str, Any]:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            return json.loads(text)
    raise AssertionError(f"`engine start` ended: {text}\n{tail(log)}")


def _ready(found: Gateway, bare: bool) -> bool:
    """Whether it can route; a `bare` one, whether it lacks nothing but an adapter."""
    assert found.process.poll() is None, tail(found.log)
    try:
        answer = found.client.get("/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == 200 or (bare and answer.json()["missing"] == [NO_ADAPTER])
