"""The tools that a chat may call, and how much of it they would be for an LLM.

OpenAI's names are narrower than MCP's: a live tool of another name is left out, and logged once.
What depends on the tools alone is worked out once for each list of them.
"""

import json
import logging
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from mcp.types import Tool

from gateway.fingerprint import content_key
from gateway.prompt import openai_tools
from gateway.types import Toolset

logger = logging.getLogger(__name__)

_KEPT = 256
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Offered:
    """Tools by name. `sizes` are those that are known; a selection shares them."""

    def __init__(self, by_name: Mapping[str, Tool], sizes: dict[str, int] | None = None) -> None:
        self.by_name = by_name
        self._sizes: dict[str, int] = {} if sizes is None else sizes

    def only(self, names: frozenset[str] | None) -> "Offered":
        """Those of these names; all of them for None."""
        if names is None:
            return self
        chosen = {name: tool for name, tool in self.by_name.items() if name in names}
        return Offered(chosen, self._sizes)

    @property
    def chars(self) -> int:
        """How many characters the tools are in the body of a chat, one after the other."""
        sizes = self._sizes
        for name, tool in self.by_name.items():
            if name not in sizes:
                sizes[name] = len(json.dumps(openai_tools(Toolset(name, (tool,))))) - len("[]")
        commas = len(", ") * max(len(self.by_name) - 1, 0)
        return sum(sizes[name] for name in self.by_name) + commas


class Offering:
    """What chats are offered: live toolsets, or tools that an agent sends with every request."""

    def __init__(self) -> None:
        self._live: dict[str, tuple[Toolset, Offered]] = {}
        self._sent: OrderedDict[bytes, Offered] = OrderedDict()
        self._left_out: set[str] = set()

    def live(self, toolset: Toolset | None) -> Offered:
        """The tools of a live toolset; none while it is None."""
        if toolset is None:
            return Offered({})
        known = self._live.get(toolset.name)
        if known is None or known[0] is not toolset:
            known = self._live[toolset.name] = (toolset, _fitting(toolset.tools))
            self._note(toolset, known[1])
        return known[1]

    def sent(self, tools: Sequence[Tool]) -> Offered:
        """An agent's own tools."""
        key = content_key(tools)
        if key not in self._sent:
            self._sent[key] = _fitting(tools)
            if len(self._sent) > _KEPT:
                self._sent.popitem(last=False)
        self._sent.move_to_end(key)
        return self._sent[key]

    def _note(self, toolset: Toolset, offered: Offered) -> None:
        for name in toolset.by_name:
            if name in offered.by_name or name in self._left_out:
                continue
            self._left_out.add(name)
            logger.warning(
                "tool %s is not offered to chats: its name is none of OpenAI's", name,
                extra={"event": "tool_left_out", "tool": name},
            )  # fmt: skip


def _fitting(tools: Iterable[Tool]) -> Offered:
    return Offered({tool.name: tool for tool in tools if _NAME.fullmatch(tool.name)})
