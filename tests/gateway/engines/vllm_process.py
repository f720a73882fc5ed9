"""The vLLM double as a process: `python -m tests.gateway.engines.vllm_process FOLDER PORT`.

It answers every prompt with no_tool, and one that contains `slowly` never.
"""

import asyncio
import sys
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.gateway.engines.vllm_double import VllmDouble


def serve(folder: Path, port: int) -> None:
    """Serve until killed."""
    vllm = VllmDouble(folder)
    vllm.wants = '{"tool": "no_tool", "reason": "chat"}'

    async def answer(request: Request) -> Response:
        content = await request.body()
        given = await vllm.handle(httpx.Request(request.method, str(request.url), content=content))
        if request.url.path == "/v1/completions":
            prompt = vllm.tokenizer.decode(vllm.asked[-1][1]["prompt"])
            while "slowly" in prompt:
                await asyncio.sleep(3600)
        return Response(given.content, given.status_code, dict(given.headers))

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
