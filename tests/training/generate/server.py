"""A teacher for tests that is a real HTTP server on a port of its own."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.training.generate.endpoint import fresh_rows

Answering = Callable[[Any], httpx.Response]


class Server:
    """An HTTP server that answers POSTs with `answer`, and keeps the requests' headers."""

    def __init__(self) -> None:
        self.answer: Answering = fresh_rows()
        self.keys: list[str | None] = []
        self.bodies: list[dict[str, Any]] = []
        kept, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    kept.keys.append(self.headers["authorization"])
                    kept.bodies.append(body)
                    response = kept.answer(body)
                self.send_response(response.status_code)
                self.send_header("content-length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
