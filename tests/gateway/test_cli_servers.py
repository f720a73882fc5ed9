"""`servers`: registering, listing, re-reading and removing MCP servers of a running gateway."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ServerConfig
from tests.gateway.cli_gateway import gateway, pointsman, unused_port
from tests.gateway.serving import settings
from tests.gateway.toolsets.upstream_doubles import Script


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path / "script", "one", "two")


@pytest.fixture
def url(tmp_path: Path, script: Script) -> Iterator[str]:
    """A gateway that has the script configured and takes commands."""
    config = settings(
        tmp_path, script.config("script"), adapter=False, allow_stdio_registration=True
    )
    with gateway(config) as address:
        yield address


def command(tmp_path: Path, *names: str) -> list[Any]:
    other = Script(tmp_path / "other", *names).config()
    return ["--", other.command, *other.args]


def names(url: str) -> list[str]:
    answer = pointsman("servers", "list", "--url", url, "--json").json
    return [server["name"] for server in answer["servers"]]


def test_a_command_is_registered_listed_and_removed(tmp_path: Path, url: str):
    run = command(tmp_path, "three")
    added = pointsman("servers", "add", "other", "--prefix", "o_", "--url", url, *run)
    assert (added.code, added.err) == (0, "")
    assert "other: ready, 1 tools" in added.out
    assert "o_three" in added.out
    assert names(url) == ["script", "other"]
    removed = pointsman("servers", "remove", "other", "--url", url)
    assert (removed.code, removed.out) == (0, "removed server other\n")
    assert names(url) == ["script"]


def test_every_verb_prints_json(tmp_path: Path, url: str):
    run = command(tmp_path, "three")
    added = pointsman("servers", "add", "other", "--url", url, "--json", *run)
    assert added.json["tools"] == ["three"]
    assert pointsman("servers", "refresh", "other", "--url", url, "--json").json["state"] == "ready"
    removed = pointsman("servers", "remove", "other", "--url", url, "--json")
    assert removed.json == {"removed": "other"}


def test_what_is_given_for_a_server_reaches_its_configuration(tmp_path: Path, url: str):
    options = ("--env", "TOKEN=a=b", "--timeout", "7.5", "--json", "--url", url)
    added = pointsman("servers", "add", "other", *options, *command(tmp_path, "three")).json
    other = ServerConfig.model_validate(
        {k: added[k] for k in ("name", "command", "args", "timeout_s", "env")}
    )
    assert other.timeout_s == 7.5
    assert list(other.env) == ["TOKEN"]
    assert "a=b" not in str(added)


def test_the_list_shows_state_and_origin(url: str):
    ran = pointsman("servers", "list", "--url", url)
    assert (ran.code, ran.err) == (0, "")
    row = next(line for line in ran.out.splitlines() if line.startswith("script"))
    assert row.split()[:4] == ["script", "ready", "2", "configuration"]
    assert sys.executable in row


def test_an_empty_list_says_how_to_register(tmp_path: Path):
    with gateway(settings(tmp_path, adapter=False)) as url:
        assert "pointsman servers add" in pointsman("servers", "list", "--url", url).out


def test_refresh_reads_the_tools_again(script: Script, url: str):
    script.tell("one", "two", "four")
    ran = pointsman("servers", "refresh", "script", "--url", url)
    assert ran.code == 0
    assert "one, two, four" in ran.out


def test_a_server_of_the_configuration_is_not_removed(url: str):
    ran = pointsman("servers", "remove", "script", "--url", url)
    assert ran.code == 1
    assert "declared in the configuration" in ran.complaint


@pytest.mark.parametrize("verb", ["remove", "refresh"])
@pytest.mark.parametrize("name", ["absent", "a/b", "ä"])
def test_an_unknown_server_ends_with_1(url: str, verb: str, name: str):
    ran = pointsman("servers", verb, name, "--url", url)
    assert (ran.code, ran.out) == (1, "")
    assert ran.complaint


def test_a_collision_names_the_prefix_to_set(tmp_path: Path, url: str):
    ran = pointsman("servers", "add", "other", "--url", url, *command(tmp_path, "one"))
    assert ran.code == 1
    assert 'for example "other_"' in ran.complaint


def test_a_server_that_nobody_answers_for_ends_with_1(url: str):
    address = f"http://127.0.0.1:{unused_port()}/mcp"
    options = ("--server-url", address, "--header", "Authorization=Bearer x")
    ran = pointsman("servers", "add", "shop", *options, "--url", url)
    assert ran.code == 1
    assert "server shop cannot be used" in ran.complaint
    assert names(url) == ["script"]


def test_a_command_is_refused_where_the_configuration_does_not_allow_it(tmp_path: Path):
    with gateway(settings(tmp_path, adapter=False)) as url:
        ran = pointsman("servers", "add", "other", "--url", url, *command(tmp_path, "three"))
    assert ran.code == 1
    assert "allow_stdio_registration" in ran.complaint


@pytest.mark.parametrize(
    "arguments",
    [
        ("other",),
        ("other", "--server-url", "http://127.0.0.1:1/mcp", "--", "run"),
        ("other", "--server-url", "http://127.0.0.1:1/mcp", "--env", "A=b"),
        ("other", "--header", "A=b", "--", "run"),
        ("other", "--header", "A", "--server-url", "http://127.0.0.1:1/mcp"),
        ("other", "--env", "=b", "--", "run"),
    ],
)
def test_a_server_that_is_not_described_ends_with_2(arguments: tuple[str, ...]):
    ran = pointsman("servers", "add", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "--" in ran.complaint


def test_settings_that_the_gateway_refuses_end_with_1(url: str):
    options = ("--server-url", "http://127.0.0.1:1/mcp", "--prefix", "no spaces")
    ran = pointsman("servers", "add", "shop", *options, "--url", url)
    assert ran.code == 1
    assert "/prefix" in ran.complaint
