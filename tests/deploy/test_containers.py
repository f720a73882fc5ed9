"""The container files and the compose file, as far as that goes without a container engine."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import load_config
from gateway.engines.vllm_command import Build, ServerOptions, server_command
from mcp_servers.support.__main__ import parser
from tests.deploy.verbs import unknown_options
from tests.gateway.cli_gateway import ROOT

DEPLOY = ROOT / "deploy"
IMAGES = ("gateway", "vllm", "support-server")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def steps(image: str) -> list[tuple[str, str]]:
    """The instructions of a container file, with continued lines joined."""
    text = (DEPLOY / f"Containerfile.{image}").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines if not line.startswith(" ")]  # type: ignore[misc]


def step(image: str, name: str) -> str:
    return [value for instruction, value in steps(image) if instruction == name][-1]


def test_vllm_can_be_reached_by_the_gateway_alone() -> None:
    vllm = SERVICES["vllm"]
    assert "ports" not in vllm
    assert "network_mode" not in vllm
    assert vllm["networks"] == ["engine"]
    assert COMPOSE["networks"]["engine"]["internal"] is True
    members = {
        name for name, service in SERVICES.items() if "engine" in service.get("networks", ())
    }
    assert members == {"gateway", "vllm"}


def test_only_the_gateway_is_published_and_on_this_machine_alone() -> None:
    assert SERVICES["gateway"]["ports"] == ["127.0.0.1:8080:8080"]
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_is_built_from_and_mounts_exists(name: str) -> None:
    service = SERVICES[name]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    for volume in service["volumes"]:
        # A default stands for what the user may set: ${NAME:-default}
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        if "/" not in source:
            assert source in COMPOSE["volumes"]
        elif ".models" not in source:  # made by make
            assert (DEPLOY / source).exists()


def test_the_gateway_and_vllm_see_adapters_and_base_model_under_the_same_paths() -> None:
    seen = [
        {v.replace(":-", "").split(":")[1] for v in SERVICES[name]["volumes"]}
        for name in ("gateway", "vllm")
    ]
    assert {"/models/base", "/etc/pointsman/adapters", "/var/lib/pointsman/adapters"} <= (
        seen[0] & seen[1]
    )


def test_the_gateways_configuration_is_one_and_names_what_is_mounted() -> None:
    config = load_config(DEPLOY / "compose.toml")
    mounted = {v.replace(":-", "").split(":")[1] for v in SERVICES["gateway"]["volumes"]}
    assert str(config.adapter_store) in mounted
    assert str(config.engine.base_model) in mounted
    assert str(Path(config.records.path).parent) in mounted
    assert str(config.adapters[0].folder.parent) in mounted


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_pins_its_base_copies_what_exists_and_is_not_roots(image: str) -> None:
    name, _, tag = step(image, "FROM").rpartition(":")
    assert name
    assert re.match(r"v?\d", tag)
    for instruction, value in steps(image):
        if instruction == "COPY":
            *sources, _ = value.split()
            assert all((ROOT / source).exists() for source in sources)
    assert step(image, "USER") == "10001:10001"
    assert step(image, "HEALTHCHECK")


def test_the_flags_of_vllms_image_are_those_of_engine_start() -> None:
    options = ServerOptions("/models/base", host="0.0.0.0")
    wanted = server_command(Build(Path("python3"), "0.32.0", "gpu"), options)
    assert json.loads(step("vllm", "ENTRYPOINT")) + json.loads(step("vllm", "CMD")) == wanted
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in shlex.split(step("vllm", "ENV"))


def test_the_gateways_image_starts_a_verb_with_options_that_it_has() -> None:
    assert json.loads(step("gateway", "ENTRYPOINT")) == ["pointsman"]
    assert unknown_options(json.loads(step("gateway", "CMD"))) == []


def test_the_sample_servers_image_starts_it_where_the_gateway_looks() -> None:
    options = parser().parse_args(json.loads(step("support-server", "CMD")))
    config = load_config(DEPLOY / "compose.toml")
    assert SERVICES["support"]["network_mode"] == "service:gateway"
    assert config.servers[0].url == f"http://127.0.0.1:{options.port}/mcp"
