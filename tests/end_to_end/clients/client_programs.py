"""Programs of third parties in environments of their own, run before a gateway.

Knows where `make test-clients` puts an environment, and how a program is run in it; nothing about
what the programs do. One that is missing is a failure, never a reason to skip.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.on_vllm.stack import ROOT

ENVIRONMENTS = ROOT / ".venv-clients"
SCRIPTS = Path(__file__).parent / "scripts"
LIMIT_S = 120
FROM_STDIN: Mapping[str, tuple[str, ...]] = {
    "python": ("python", "-"),
    "typescript": ("node", "--input-type=module-typescript", "-"),
    "shell": ("sh", "-s", "--"),
}
"""How each language is told to read its program from the standard input."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client's environment (None is the gateway's own), and what its programs are written in."""

    environment: str | None
    language: str = "python"

    def run(self, program: str, home: Path, *arguments: str) -> str:
        """What a program prints. Raises AssertionError if it fails, or cannot be run."""
        folder = ENVIRONMENTS / self.environment if self.environment else Path(sys.prefix)
        missing = f"{folder} is missing: `make test-clients` makes it"
        assert (folder / "bin" / "python").exists(), missing
        done = subprocess.run(
            [*FROM_STDIN[self.language], *arguments],
            input=program,
            cwd=folder,  # Node looks packages up from here
            env=_environ(folder, home),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


OPENAI = Client("openai")
OPENAI_AGENTS = Client("openai-agents")
PYDANTIC_AI = Client("pydantic-ai")
LANGCHAIN = Client("langchain")
MCP = Client(None)
OLDER_MCP = Client("mcp-1")
TYPESCRIPT = Client("node", "typescript")
INSPECTOR = Client("node", "shell")


@dataclass(frozen=True, slots=True)
class Desk:
    """The order desk behind a running gateway, as programs see it; `home` is their home folder."""

    url: str
    home: Path

    def seen_by(self, client: Client, script: str, *arguments: str) -> dict[str, Any]:
        """What a script tells of its job, in one line of JSON."""
        program = (SCRIPTS / script).read_text()
        (line,) = client.run(program, self.home, self.url, *arguments).splitlines()
        return json.loads(line)


def _environ(folder: Path, home: Path) -> dict[str, str]:
    """A program's environment: no settings or keys of whoever runs the tests, nothing sent away."""
    path = [str(folder / "node_modules" / ".bin"), str(folder / "bin"), os.environ["PATH"]]
    libraries = {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
    return libraries | {
        "PATH": os.pathsep.join(path),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "npm_config_offline": "true",
        "npm_config_update_notifier": "false",
    }
