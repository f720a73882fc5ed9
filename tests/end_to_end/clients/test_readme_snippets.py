"""The programs of the README's section on agents run as they are printed there.

A block is one that stands behind a comment that names its client.
"""

import re

import pytest

from tests.end_to_end.clients import client_programs as clients
from tests.end_to_end.clients.client_programs import Client, Desk
from tests.end_to_end.on_vllm.stack import ROOT

pytestmark = pytest.mark.slow

URL = "http://127.0.0.1:8080"
BLOCK = re.compile(r"^<!-- runs: (\S+) -->\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHERE = "ORD-1234 of 2026-10-28 is shipped"
PRINTED: dict[str, tuple[Client, str]] = {
    "openai": (clients.OPENAI, "name='track_order'"),
    "openai-agents": (clients.OPENAI_AGENTS, WHERE),
    "pydantic-ai": (clients.PYDANTIC_AI, '"status":"shipped"'),
    "langgraph": (clients.LANGCHAIN, WHERE),
    "mcp": (clients.MCP, "'status': 'shipped'"),
    "typescript": (clients.TYPESCRIPT, WHERE),
    "inspector": (clients.INSPECTOR, WHERE),
}
"""Client -> its environment, and what its block prints among other things."""


def blocks() -> list[tuple[str, str]]:
    """The client and the program of each block."""
    return BLOCK.findall((ROOT / "README.md").read_text())


def test_the_readme_has_one_program_for_each_client() -> None:
    assert sorted(name for name, _ in blocks()) == sorted(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_a_program_of_the_readme_runs_as_printed(desk: Desk, name: str) -> None:
    (program,) = [text for of, text in blocks() if of == name]
    assert URL in program
    client, printed = PRINTED[name]
    assert printed in client.run(program.replace(URL, desk.url), desk.home)
