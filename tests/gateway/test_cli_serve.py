"""`serve` as a process: how it comes up, what it refuses, how it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.commands.serving import admitting, bind
from gateway.config import Config
from tests.adapters import write_adapter
from tests.gateway.cli_gateway import ROOT, pointsman, unused_port

COMMAND = (sys.executable, "-m", "gateway.cli", "serve")
LISTED_HOSTS = [
    ("127.0.0.1", (), ("127.0.0.1",)),
    ("gateway.internal", ("api.example",), ("api.example", "gateway.internal")),
    ("fd00::1", (), ("[fd00::1]",)),
    ("0.0.0.0", ("api.example",), ("api.example",)),
]


@contextlib.contextmanager
def serving(*arguments: str, **environ: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A gateway process, and its first line on stdout: nothing if it has ended before."""
    with launched(*arguments, **environ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline()


@contextlib.contextmanager
def launched(*arguments: str, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    """A gateway process that need not be up yet."""
    # The first line must come through a pipe, whatever the machine's Python does with buffers.
    foreign = ("POINTSMAN_", "PYTHONUNBUFFERED")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env={**clean, **environ}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def address(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http://"))


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_serving_gateway_with_0(number: signal.Signals):
    with serving("--port", "0") as (process, line):
        assert httpx.get(f"{address(line)}/healthz", trust_env=False).json() == {"status": "ok"}
        process.send_signal(number)
        assert ended(process) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_gateway_that_still_starts_with_0(tmp_path: Path, number: signal.Signals):
    os.mkfifo(tmp_path / "keys")
    config = tmp_path / "gateway.toml"
    config.write_text('auth = {keys_file = "keys"}')
    # Opening a pipe for writing waits for its reader, which then waits for what is written.
    with (
        launched("--port", "0", "--config", str(config)) as process,
        (tmp_path / "keys").open("w"),
    ):
        process.send_signal(number)
        assert ended(process) == (0, "")


def test_an_open_connection_does_not_keep_the_gateway_up():
    with serving("--port", "0") as (process, line), httpx.Client(trust_env=False) as client:
        client.get(f"{address(line)}/healthz")
        process.terminate()
        assert ended(process)[0] == 0


def test_under_json_the_address_is_one_document():
    with serving("--port", "0", "--json") as (process, first):
        assert process.stdout is not None
        document = json.loads(first + process.stdout.readline() + process.stdout.readline())
        assert httpx.get(f"{document['url']}/healthz", trust_env=False).status_code == 200
        process.terminate()
        assert ended(process)[0] == 0


def test_a_configuration_is_served_with_its_server_and_adapter(tmp_path: Path):
    write_adapter(tmp_path / "adapter")
    (tmp_path / "gateway.toml").write_text(
        f"""
        [engine]
        kind = "scripted"
        [engine.answers]
        "hello" = '{{"tool": "no_tool", "reason": "only a greeting"}}'
        [[servers]]
        name = "support"
        command = {json.dumps(sys.executable)}
        args = ["-m", "mcp_servers.support"]
        cwd = {json.dumps(str(ROOT))}
        [[toolsets]]
        name = "support"
        servers = ["support"]
        [[adapters]]
        folder = "adapter"
        """
    )
    with serving("--port", "0", "--config", str(tmp_path / "gateway.toml")) as (process, line):
        url = address(line)
        assert pointsman("servers", "refresh", "support", "--url", url).code == 0
        ran = pointsman("route", "hello", "--url", url)
        assert (ran.code, ran.out.splitlines()[0]) == (3, "no_tool  only a greeting")
        process.terminate()
        assert ended(process)[0] == 0


def test_a_port_in_use_is_told_in_one_line():
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        ran = pointsman("serve", "--port", port)
    assert (ran.code, ran.out) == (1, "")
    assert f"port {port}" in ran.complaint
    assert "in use" in ran.complaint


def test_a_host_that_is_not_ours_is_told_in_one_line():
    ran = pointsman("serve", "--host", "192.0.2.1", "--port", 0, POINTSMAN_ADMIN_KEYS="key")
    assert ran.code == 1
    assert "192.0.2.1" in ran.complaint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.internal", ""])
def test_without_keys_no_host_beyond_loopback_is_served(host: str):
    ran = pointsman("serve", "--host", host, "--allow-host", "gateway.internal", "--port", 0)
    assert (ran.code, ran.out) == (2, "")
    assert "POINTSMAN_AGENT_KEYS" in ran.complaint
    assert "POINTSMAN_ADMIN_KEYS" in ran.complaint


def test_on_every_address_the_names_of_the_gateway_must_be_given():
    ran = pointsman("serve", "--host", "0.0.0.0", "--port", 0, POINTSMAN_ADMIN_KEYS="key")
    assert ran.code == 2
    assert "--allow-host" in ran.complaint


@pytest.mark.parametrize(("host", "flags", "expected"), LISTED_HOSTS)
def test_the_host_served_on_is_a_name_that_clients_may_use(
    host: str, flags: tuple[str, ...], expected: tuple[str, ...]
):
    assert admitting(Config(), host, flags).allowed_hosts == expected


def test_names_of_the_configuration_are_enough_for_every_address():
    config = Config(allowed_hosts=("gateway.internal",))
    assert admitting(config, "::", ()).allowed_hosts == ("gateway.internal",)


def test_with_keys_a_gateway_serves_the_names_it_was_given():
    options = ("--host", "0.0.0.0", "--port", "0", "--allow-host", "gateway.internal")
    with serving(*options, POINTSMAN_AGENT_KEYS="key") as (process, line):
        url = address(line).replace("0.0.0.0", "127.0.0.1")

        def status(host: str, **headers: str) -> int:
            asked = {"host": host, **headers}
            return httpx.get(f"{url}/v1/tools", headers=asked, trust_env=False).status_code

        assert status("gateway.internal", authorization="Bearer key") == 200
        assert status("gateway.internal") == 401
        assert status("evil.example", authorization="Bearer key") == 403
        process.terminate()
        assert ended(process)[0] == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sevrers = []", "sevrers: unknown key"),
        ("servers = ", "gateway.toml"),
        ('[auth]\nkeys_file = "absent"', "auth.keys_file"),
        ('[engine]\nkind = "local"\nbase_model = "absent"', "engine.base_model"),
        ('log = "${POINTSMAN_ABSENT}"', "POINTSMAN_ABSENT"),
    ],
)
def test_a_configuration_that_cannot_be_used_ends_with_2(tmp_path: Path, text: str, complaint: str):
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    ran = pointsman("serve", "--port", 0, "--config", file)
    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.complaint


def test_a_configuration_that_is_not_there_ends_with_2(tmp_path: Path):
    ran = pointsman("serve", "--config", tmp_path / "absent.toml")
    assert ran.code == 2
    assert "absent.toml" in ran.complaint


@pytest.mark.parametrize(
    ("broken", "code", "complaint"),
    [
        ('adapters = [{folder = "absent"}]', 1, "not an adapter folder"),
        ('records = {path = "gateway.toml"}', 2, "records"),
    ],
)
def test_what_fails_at_the_start_is_told_without_a_traceback(
    tmp_path: Path, broken: str, code: int, complaint: str
):
    file = tmp_path / "gateway.toml"
    file.write_text(broken)
    with serving("--port", "0", "--config", str(file)) as (process, line):
        assert line == ""
        found, err = ended(process)
    assert found == code
    assert complaint in err
    assert "Traceback" not in err


def test_until_the_gateway_is_up_its_port_refuses():
    with contextlib.closing(bind("127.0.0.1", 0)) as taken, pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{taken.getsockname()[1]}", trust_env=False)


def test_a_port_beyond_the_last_is_bad_usage():
    assert pointsman("serve", "--port", 65536).code == 2
    assert unused_port() <= 65535
