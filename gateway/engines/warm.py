"""What every prompt of an adapter begins with, so that an engine can have computed it already.

The first prompt of an adapter costs a server the weights' way to its device and the whole system
message; a prompt made here pays for both before an agent waits.
"""

import json
from pathlib import Path

from gateway.engines.base import Prompt
from gateway.formats.known import FORMATS
from gateway.manifest import prompt_spec
from gateway.types import Message, Toolset


def warming_prompt(version: str, folder: Path) -> Prompt | None:
    """A prompt with an adapter's own beginning and an answer of one token.

    None for a folder without a readable manifest and toolset, which nothing is known of.
    """
    try:
        spec = prompt_spec(folder)
        toolset = Toolset.from_json(json.loads((folder / "toolset.json").read_bytes()))
        asked = FORMATS[spec.format].ask((Message("user", "hello"),), toolset, spec.form)
    except (ValueError, OSError):
        return None
    return Prompt(
        messages=asked.messages,
        adapter=version,
        schema=None,
        max_prompt_tokens=spec.max_prompt_tokens,
        max_answer_tokens=1,
        tools=asked.tools,
    )
