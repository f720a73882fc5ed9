"""One OpenAI-compatible LLM over HTTP: a Chat Completions body in, its answer out.

What it answers is not judged here. An answer is read as it comes, whether the server streams or
not; what cannot be read raises FallbackDown. A request is tried again only as long as nothing of
an answer has arrived. Cancelling closes the connection, at which such servers stop writing. The
key stands in one header and in no message.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
from pydantic import ValidationError

from gateway.config import FallbackConfig
from gateway.errors import FallbackDown, FallbackTimeout
from gateway.fallback.written import Chunk, Parts, Written
from gateway.keepalive import KEEPALIVE_S

_RETRIED = frozenset({429, 500, 502, 503, 504})
_MAX_CHARS = 10_485_760
_MAX_WHY = 300


class Llm:
    """The LLM of one configuration; one pool of connections serves all requests."""

    def __init__(
        self, config: FallbackConfig, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`transport` replaces the network, for tests."""
        self._config = config
        self.model = config.model
        self.url = re.sub(r"(?<=//)[^/?#]*@", "", config.url)  # without a password, for messages
        self._key = config.api_key.get_secret_value() if config.api_key else None
        headers = {"Content-Type": "application/json"}
        self._client = httpx.AsyncClient(
            base_url=config.url,
            headers=headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx.Timeout(config.timeout_s, connect=config.connect_s),
            limits=httpx.Limits(max_connections=config.connections, keepalive_expiry=KEEPALIVE_S),
            transport=transport,
        )

    async def close(self) -> None:
        """Close all connections; idempotent."""
        await self._client.aclose()

    async def write(self, body: Mapping[str, Any]) -> AsyncGenerator[str | Written]:
        """Ask; yields pieces of the text as they come, and the whole answer last.

        Raises:
            FallbackDown: it cannot be reached, refuses, or answers what is no completion.
            FallbackTimeout: it was silent for too long.
        """
        parts = Parts()
        async with (
            self._answer({"model": self.model, **body}) as response,
            aclosing(self._chunks(response)) as chunks,
        ):
            async for chunk in chunks:
                text = parts.add(chunk)
                if text:
                    yield text
        if not parts.finish:
            raise FallbackDown(f"the fallback at {self.url} stopped before its answer was whole")
        yield parts.written(self.model)

    @asynccontextmanager
    async def _answer(self, body: Mapping[str, Any]) -> AsyncGenerator[httpx.Response]:
        response = await self._open(body)
        try:
            yield response
        except httpx.TimeoutException as exc:
            raise FallbackTimeout(f"the fallback at {self.url} fell silent") from exc
        except httpx.RequestError as exc:
            raise FallbackDown(f"the fallback at {self.url} broke off: {_why(exc)}") from exc
        finally:
            await response.aclose()

    async def _open(self, body: Mapping[str, Any]) -> httpx.Response:
        """The response to a request, its body not read yet."""
        # Escaped, because a body may hold half a surrogate pair, which UTF-8 cannot carry.
        content = json.dumps({**body, "n": 1}).encode("ascii")
        for left in range(self._config.retries, -1, -1):
            request = self._client.build_request("POST", "/chat/completions", content=content)
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ReadTimeout, httpx.WriteTimeout) as exc:
                # It may be writing still; asking again would double its work.
                raise FallbackTimeout(f"the fallback at {self.url} did not answer") from exc
            except httpx.RequestError as exc:
                if not left:
                    raise FallbackDown(
                        f"the fallback at {self.url} cannot be reached: {_why(exc)}"
                    ) from exc
            else:
                if response.is_success:
                    return response
                if not left or response.status_code not in _RETRIED:
                    raise await self._refusal(response)
                await response.aclose()
            await asyncio.sleep(self._config.backoff_s * 2 ** (self._config.retries - left))
        raise AssertionError("the last try returns or raises")

    async def _refusal(self, response: httpx.Response) -> FallbackDown:
        status = response.status_code
        why = ""
        if status not in (401, 403):  # such an answer may quote the key
            try:
                why = _error_text((await response.aread()).decode(errors="replace"))
            except httpx.RequestError:
                why = "no reason given"
        await response.aclose()
        return FallbackDown(self._shown(f"the fallback at {self.url} answered {status}", why))

    def _shown(self, what: str, why: str) -> str:
        if self._key:
            why = why.replace(self._key, "**********")
        why = " ".join(why.split())[:_MAX_WHY]
        return f"{what}: {why}" if why else what

    async def _chunks(self, response: httpx.Response) -> AsyncGenerator[Chunk]:
        """The chunks of a stream; an answer that is not streamed is one."""
        if "text/event-stream" not in response.headers.get("content-type", ""):
            yield self._chunk((await response.aread()).decode(errors="replace"))
            return
        size = 0
        async for line in response.aiter_lines():
            size += len(line)
            if size > _MAX_CHARS:
                raise FallbackDown(f"the fallback at {self.url} wrote more than {_MAX_CHARS} bytes")
            name, _, data = line.partition(":")
            if name != "data":
                continue
            if data.strip() == "[DONE]":
                return
            yield self._chunk(data)

    def _chunk(self, text: str) -> Chunk:
        try:
            chunk = Chunk.model_validate_json(text)
        except ValidationError as exc:
            raise FallbackDown(
                f"the fallback at {self.url} answered what is no chat completion"
            ) from exc
        if chunk.error is not None:
            raise FallbackDown(self._shown(f"the fallback at {self.url} failed", _error_text(text)))
        return chunk


def _error_text(text: str) -> str:
    """What a server gives as the reason of an error."""
    try:
        error = json.loads(text)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, LookupError, TypeError, RecursionError):
        return text


def _why(exc: httpx.RequestError) -> str:
    return str(exc) or type(exc).__name__
