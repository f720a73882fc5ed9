"""The configuration file: what is read, what is refused and how, and what is never shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config import Config, ServerConfig, load_config
from gateway.errors import ConfigurationError

SERVER = '[[servers]]\nname = "desk"\ncommand = "python"\n'


def loaded(tmp_path: Path, text: str, name: str = "pointsman.toml", **environ: str) -> Config:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ)


def refusal(tmp_path: Path, text: str, name: str = "pointsman.toml", **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, text, name, **environ)
    assert str(caught.value).startswith(str(tmp_path / name))
    return str(caught.value)


def test_an_empty_file_is_a_configuration(tmp_path: Path):
    config = loaded(tmp_path, "")
    assert config.servers == ()
    assert config.engine.kind == "none"
    assert config.records.path == ":memory:"
    assert config.drift_policy == "mask"
    assert not config.allow_stdio_registration


def test_a_full_file_is_read(tmp_path: Path):
    config = loaded(
        tmp_path,
        """
        log = "json"
        [[servers]]
        name = "desk"
        command = "python"
        args = ["-m", "mcp_servers.support"]
        prefix = "desk_"
        [[servers]]
        name = "web"
        url = "https://example.com/mcp"
        headers = { Authorization = "Bearer ${TOKEN}" }
        [[toolsets]]
        name = "support"
        servers = ["desk", "web"]
        tools = ["desk_track_order"]
        [engine]
        kind = "scripted"
        answers = { "hi" = "{}" }
        [auth]
        agent_keys = ["${KEY}"]
        """,
        TOKEN="t0ken",
        KEY="k3y",
    )
    desk, web = config.servers
    assert (desk.args, desk.prefix, desk.url) == (("-m", "mcp_servers.support"), "desk_", None)
    assert web.headers["Authorization"].get_secret_value() == "Bearer t0ken"
    assert config.toolsets[0].tools == ("desk_track_order",)
    assert config.engine.answers == {"hi": "{}"}
    assert config.auth.agent_keys[0].get_secret_value() == "k3y"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("colour = 1", "colour: unknown key"),
        (SERVER + "comand = 1", "servers.0.comand: unknown key"),
        ("[engine]\nkind = 'local'\nmodel = 'x'", "engine.model: unknown key"),
        ("[limits]\nbody = 1", "limits.body: unknown key"),
        ("[[servers]]\nname = 'desk'", "servers.0: Value error, a server needs exactly one of"),
        (SERVER + "url = 'http://x'", "a server needs exactly one of `command` and `url`"),
        ("[[servers]]\ncommand = 'x'", "servers.0.name: Field required"),
        ("[[servers]]\nname = 'a b'\ncommand = 'x'", "servers.0.name"),
        ("[[servers]]\nname = ''\ncommand = 'x'", "servers.0.name"),
        ("[[servers]]\nname = '../x'\ncommand = 'x'", "servers.0.name"),
        ("[[servers]]\nname = 'a'\nurl = 'ftp://x'", "servers.0.url"),
        ("[[servers]]\nname = 'a'\nurl = 'file:///etc/passwd'", "servers.0.url"),
        (SERVER + "prefix = 'a b'", "servers.0.prefix"),
        (SERVER + "timeout_s = 0", "servers.0.timeout_s"),
        (SERVER + "mode = 'modern'", "servers.0.mode"),
        (SERVER + SERVER, "server 'desk' is configured twice"),
        ("[[toolsets]]\nname = 'a'\nservers = []\n" * 2, "toolset 'a' is configured twice"),
        ("[[toolsets]]\nname = 'a b'\nservers = []", "toolsets.0.name"),
        ("[engine]\nkind = 'local'", "the local engine needs `base_model`, a folder"),
        ("[engine]\nkind = 'gpt'", "engine.kind"),
        ("[limits]\nbody_bytes = 0", "limits.body_bytes"),
        ("drift_policy = 'ignore'", "drift_policy"),
        ("drift_policy = 'warn'\n[drift]\npolicy = 'warn'", "drift_policy is short for"),
        ("[drift.grades]\nnone = 'warn'", "drift.grades"),
        ("[drift.webhook]\nurl = 'http://x'\nsecret = 'short'", "drift.webhook.secret"),
        ("[drift.webhook]\nurl = 'http://[x'\nsecret = 'sixteen or more.'", "drift.webhook.url"),
        ("[drift.webhook]\nurl = 'http://:8/'\nsecret = 'sixteen or more.'", "names no host"),
        ("[drift.webhook]\nurl = 'http://x:0x/'\nsecret = 'sixteen or more.'", "drift.webhook.url"),
        ("[drift.measure]\nrows = 9", "drift.measure asks the adapter: it needs an engine"),
        ("[drift.measure]\nrows = 0\n[engine]\nkind = 'scripted'", "drift.measure.rows"),
        ("[drift]\nmeasure = true\n[engine]\nkind = 'scripted'", "drift.measure"),
        ("[records]\nfollow_s = 0", "records.follow_s"),
        ("servers = 3", "servers"),
        ("= broken", "line 1"),
        ("a = 1\na = 2", "Cannot overwrite a value"),
    ],
)
def test_what_is_wrong_is_refused_with_file_and_key(tmp_path: Path, text: str, reason: str):
    assert reason in refusal(tmp_path, text)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path):
    told = refusal(tmp_path, "colour = 1\nsize = 2\ndrift_policy = 'x'")
    assert all(key in told for key in ("colour", "size", "drift_policy"))


def test_a_refusal_never_repeats_a_secret(tmp_path: Path):
    told = refusal(
        tmp_path,
        SERVER + "env = { A = ['${KEY}'] }\n[auth]\nagent_keys = [['${KEY}']]",
        KEY="s3cret",
    )
    assert "s3cret" not in told


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: No such file"):
        load_config(tmp_path / "nowhere.toml", {})
    with pytest.raises(ConfigurationError, match="directory"):
        load_config(tmp_path, {})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"x\.toml"):
        load_config(tmp_path / "x.toml", {})


@pytest.mark.parametrize("text", ["[]", "3", "null", '"x"', "{", ""])
def test_json_that_is_no_configuration_is_refused(tmp_path: Path, text: str):
    assert refusal(tmp_path, text, "x.json")


def test_a_variable_that_is_not_set_is_named(tmp_path: Path):
    told = refusal(tmp_path, SERVER + 'env = { A = "${NO_SUCH}" }')
    assert "the environment variable NO_SUCH is not set" in told


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${A}", "one"),
        ("x-${A}-${B}", "x-one-two ${A}"),
        ("$A $ {A} ${}", "$A $ {A} ${}"),
        ("${EMPTY}", ""),
    ],
)
def test_variables_are_taken_from_the_environment_once(tmp_path: Path, written: str, value: str):
    config = loaded(tmp_path, SERVER + f'args = ["{written}"]', A="one", B="two ${A}", EMPTY="")
    assert config.servers[0].args == (value,)


def test_variables_are_not_looked_for_in_keys(tmp_path: Path):
    config = loaded(tmp_path, SERVER + 'env = { "${A}" = "x" }')
    assert list(config.servers[0].env) == ["${A}"]


def test_an_mcp_servers_file_of_a_desktop_client_is_read(tmp_path: Path):
    value = {
        "mcpServers": {
            "git": {"type": "stdio", "command": "uvx", "args": ["mcp-server-git"],
                    "env": {"TOKEN": "${TOKEN}"}},
            "web": {"transport": "http", "url": "https://example.com/mcp",
                    "headers": {"X-Key": "k"}},
            "off": {"command": "x", "disabled": True},
            "on": {"command": "y", "disabled": False},
        }
    }  # fmt: skip
    config = loaded(tmp_path, json.dumps(value), "mcp.json", TOKEN="t")
    assert [server.name for server in config.servers] == ["git", "web", "on"]
    assert config.servers[0].env["TOKEN"].get_secret_value() == "t"
    assert config.servers[1].url == "https://example.com/mcp"
    (toolset,) = config.toolsets
    assert (toolset.name, toolset.servers) == ("default", ("git", "web", "on"))


def test_an_mcp_servers_file_may_hold_our_settings_beside_it(tmp_path: Path):
    value = {"mcpServers": {"a": {"command": "x"}}, "log": "json",
             "toolsets": [{"name": "mine", "servers": ["a"]}]}  # fmt: skip
    config = loaded(tmp_path, json.dumps(value), "mcp.json")
    assert config.log == "json"
    assert [toolset.name for toolset in config.toolsets] == ["mine"]


@pytest.mark.parametrize(
    ("servers", "reason"),
    [
        ([], "mcpServers must be an object"),
        ({"a": "x"}, "mcpServers.a must be an object"),
        ({"a": {}}, "a server needs exactly one of"),
        ({"a": {"command": "x", "url": "http://x"}}, "a server needs exactly one of"),
        ({"a": {"command": "x", "shell": True}}, "servers.0.shell: unknown key"),
        ({"a b": {"command": "x"}}, "servers.0.name"),
    ],
)
def test_a_wrong_mcp_servers_file_is_refused(tmp_path: Path, servers: Any, reason: str):
    assert reason in refusal(tmp_path, json.dumps({"mcpServers": servers}), "mcp.json")


def test_an_mcp_servers_file_without_servers_has_no_toolset(tmp_path: Path):
    config = loaded(tmp_path, '{"mcpServers": {}}', "mcp.json")
    assert (config.servers, config.toolsets) == ((), ())


def test_relative_paths_are_relative_to_the_file(tmp_path: Path):
    (tmp_path / "conf").mkdir()
    assert tmp_path.resolve() != Path.cwd()
    config = loaded(
        tmp_path / "conf",
        """
        adapter_store = "store"
        [[servers]]
        name = "a"
        command = "python"
        cwd = "work"
        [[servers]]
        name = "b"
        command = "./bin/serve"
        [[servers]]
        name = "c"
        command = "/bin/serve"
        cwd = "/srv"
        [engine]
        base_model = "../model"
        [records]
        path = "calls.db"
        [auth]
        keys_file = "keys"
        [[adapters]]
        folder = "adapters/a"
        [[adapters]]
        folder = "/adapters/b"
        """,
    )
    here = tmp_path.resolve() / "conf"
    assert config.adapter_store == here / "store"
    assert config.engine.base_model == here / "../model"
    assert config.records.path == str(here / "calls.db")
    assert config.auth.keys_file == here / "keys"
    assert [adapter.folder for adapter in config.adapters] == [
        here / "adapters/a",
        Path("/adapters/b"),
    ]
    assert [(server.command, server.cwd) for server in config.servers] == [
        ("python", str(here / "work")),
        (str(here / "bin/serve"), None),
        ("/bin/serve", "/srv"),
    ]


def test_records_in_memory_are_no_path(tmp_path: Path):
    assert loaded(tmp_path, '[records]\npath = ":memory:"').records.path == ":memory:"


SECRET = ServerConfig.model_validate(
    {
        "name": "web",
        "url": "https://user:s3cret@example.com/mcp",
        "headers": {"Authorization": "Bearer s3cret"},
        "env": {"TOKEN": "s3cret"},
    }
)


def test_secrets_are_redacted_wherever_a_server_is_shown(tmp_path: Path):
    shown = SECRET.shown()
    assert "s3cret" not in json.dumps(shown)
    assert (shown["name"], list(shown["headers"]), list(shown["env"])) == (
        "web", ["Authorization"], ["TOKEN"],
    )  # fmt: skip
    assert shown["url"].endswith("@example.com/mcp")
    config = loaded(tmp_path, "[auth]\nagent_keys = ['s3cret']\nadmin_keys = ['s3cret']")
    for text in (repr(config), config.model_dump_json(), str(config.auth), repr(SECRET.headers)):
        assert "s3cret" not in text


def test_what_is_stored_gives_the_same_server_back():
    stored = json.loads(json.dumps(SECRET.stored()))
    assert ServerConfig.model_validate(stored) == SECRET


def test_what_is_shown_and_stored_leaves_defaults_out():
    plain = ServerConfig(name="a", command="x")
    assert plain.shown() == plain.stored() == {"name": "a", "command": "x"}


def test_measuring_is_off_unless_it_is_asked_for_and_keeps_its_answers_beside_the_file(
    tmp_path: Path,
):
    assert loaded(tmp_path, "").drift.measure is None
    measure = loaded(tmp_path, "[drift.measure]\n[engine]\nkind = 'scripted'").drift.measure
    assert measure is not None
    assert (measure.rows, measure.folder) == (100, tmp_path / ".pointsman" / "impact")


def test_a_configuration_is_frozen(tmp_path: Path):
    config = loaded(tmp_path, SERVER)
    with pytest.raises(ValidationError):
        config.servers[0].name = "other"


def test_the_policy_for_drift_is_set_by_one_word_or_grade_by_grade(tmp_path: Path):
    assert loaded(tmp_path, "").drift_rules.policy == "mask"
    assert loaded(tmp_path, "drift_policy = 'warn'").drift_rules.policy == "warn"
    text = """
        [drift]
        policy = "fallback"
        fallback = "general"
        grades = {renamed = "block"}
        adapters = {support = {policy = "warn"}}
        webhook = {url = "https://hooks.example/x", secret = "${HOOK}"}
        [[adapters]]
        folder = "a"
        drift = {grades = {description = "mask"}}
    """
    config = loaded(tmp_path, text, HOOK="sixteen or more characters")
    rules = config.drift_rules
    assert (rules.policy, rules.fallback, rules.grades) == (
        "fallback",
        "general",
        {"renamed": "block"},
    )
    assert rules.adapters["support"].policy == "warn"
    assert config.adapters[0].drift.grades == {"description": "mask"}
    assert "sixteen" not in repr(config)
