"""The tokens that an agent must carry: every tool of a toolset, or the one tool `route`.

    make bench-tokens
    python -m tests.bench.tokens [--tokenizer FILE]

An agent's LLM reads its tools with every request, as OpenAI's `tools`: compact JSON, counted in
bytes and in tokens of the demo's base model. The toolsets: the order desk (support), and fifty
real tools, the order desk's and those that published MCP servers list (`data/revisions`). A table,
and one JSON object as the last line.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mcp.types import Tool
from tokenizers import Tokenizer

from gateway.faces.mcp.offer import ROUTE
from tests.adapters import support_toolset
from tests.bench.revisions import DATA

COUNT = 50
TOKENIZER = Path(".models/smollm2-135m-instruct/tokenizer.json")


def main() -> None:
    """Run the count."""
    options = argparse.ArgumentParser()
    options.add_argument("--tokenizer", type=Path, default=TOKENIZER)
    tokenizer: Any = Tokenizer.from_file(str(options.parse_args().tokenizer))
    toolsets: dict[str, Sequence[Tool]] = {
        "support": support_toolset().tools,
        "catalogue": catalogue(COUNT),
        "route": [ROUTE],
    }
    rows: dict[str, dict[str, int]] = {}
    for name, tools in toolsets.items():
        text = as_openai(tools)
        size, tokens = len(text.encode()), len(tokenizer.encode(text).ids)
        rows[name] = {"tools": len(tools), "bytes": size, "tokens": tokens}
    print(f"{'':12}{'tools':>8}{'bytes':>10}{'tokens':>10}{'times route':>14}")
    for name, row in rows.items():
        times = row["tokens"] / rows["route"]["tokens"]
        print(f"{name:12}{row['tools']:8}{row['bytes']:10}{row['tokens']:10}{times:14.1f}")
    print(json.dumps(rows))


def as_openai(tools: Iterable[Tool]) -> str:
    """Tools as an agent of OpenAI's API sends them."""
    written = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description or "",
                "parameters": tool.input_schema,
            },
        }
        for tool in tools
    ]
    return json.dumps(written, separators=(",", ":"), ensure_ascii=False)


def catalogue(count: int) -> Sequence[Tool]:
    """The order desk's tools, then those of real servers, newest lists first, each name once.

    Raises:
        ValueError: there are not so many.
    """
    found = {tool.name: tool for tool in support_toolset().tools}
    for file in sorted(DATA.glob("*==*.json"), key=_newest_first):
        for value in json.loads(file.read_text(encoding="utf-8")):
            tool = Tool.model_validate(value, by_name=False)
            found.setdefault(tool.name, tool)
    if len(found) < count:
        raise ValueError(f"there are {len(found)} tools, not {count}")
    return list(found.values())[:count]


def _newest_first(file: Path) -> tuple[list[int], str]:
    version = file.stem.rpartition("==")[2]
    return [-int(part) for part in version.split(".")], file.name


if __name__ == "__main__":
    main()
