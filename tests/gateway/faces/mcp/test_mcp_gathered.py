"""Prompts, resources and completion of the servers behind one address."""

from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference

from tests.gateway.faces.mcp.serving import Able, behind
from tests.gateway.toolsets.upstream_doubles import LiveServer


async def test_one_server_s_prompts_and_resources_pass_as_they_are(
    mode: Any, tmp_path: Path
) -> None:
    async with behind(Able(), tmp_path=tmp_path) as face, face.client(mode) as client:
        assert [p.name for p in (await client.list_prompts()).prompts] == ["able", "shared"]
        assert [str(r.uri) for r in (await client.list_resources()).resources] == ["able://listed"]
        read = await client.read_resource("able://listed")
        assert read.contents[0].text == "read able://listed"
        got = await client.get_prompt("shared")
        assert got.messages[0].content.text == "able says shared"


async def test_what_several_servers_have_is_read_from_its_owner(mode: Any, tmp_path: Path) -> None:
    servers = Able("one"), Able("two"), LiveServer("bare")
    async with behind(*servers, tmp_path=tmp_path) as face, face.client(mode) as client:
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert names == ["one", "shared", "two"]
        got = await client.get_prompt("two")
        assert got.messages[0].content.text == "two says two"
        # The first in order has a name that both claim.
        got = await client.get_prompt("shared")
        assert got.messages[0].content.text == "one says shared"
        for uri in ("two://listed", "two://made/from/a/template"):
            assert (await client.read_resource(uri)).contents[0].text == f"read {uri}"
        done = await client.complete(PromptReference(name="two"), {"name": "a", "value": "x"})
        assert done.completion.values == ["two x"]


async def test_what_nobody_has_is_an_error_of_the_last_server_asked(
    mode: Any, tmp_path: Path
) -> None:
    servers = Able("one"), Able("two")
    async with behind(*servers, tmp_path=tmp_path) as face, face.client(mode) as client:
        with pytest.raises(MCPError, match="no resource three://x"):
            await client.read_resource("three://x")


async def test_without_a_server_that_has_any_the_lists_are_empty(mode: Any, tmp_path: Path) -> None:
    async with behind(LiveServer("bare"), tmp_path=tmp_path) as face, face.client(mode) as client:
        assert (await client.list_prompts()).prompts == []
        assert (await client.list_resource_templates()).resource_templates == []
        with pytest.raises(MCPError, match="nobody here has 'x'"):
            await client.get_prompt("x")
