"""One vLLM server over HTTP: the calls that an engine needs, and what it answers.

Field names, paths and error forms were read in the sources of vLLM 0.26.0 and 0.32.0, where they
are the same. vLLM answers an error as `{"error": {"message", "type", "param", "code"}}`, what
stands before it (a missing route, a wrong key) in other forms; only the status is relied upon. A
call that gets no answer raises ServerFailed; what a refusal means is for the engine to say. A call
that is cancelled closes its connection, at which vLLM stops the generation.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx

from gateway.errors import EngineDown
from gateway.keepalive import KEEPALIVE_S

OLDEST, NEWEST = (0, 26), (0, 32)
"""The releases of vLLM whose API is known."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a connection and for what the server knows at once, for an
    adapter to be loaded and listed, for a completion, and between two looks at the list."""

    connect: float = 5.0
    load: float = 60.0
    answer: float = 60.0
    look: float = 0.2


class ServerFailed(EngineDown):
    """The server failed, whatever the prompt.

    `answers`: it did answer, if with an error, so that other prompts may fare better. `late`: the
    time for an answer is used up.
    """

    def __init__(self, message: str, *, answers: bool = False, late: bool = False) -> None:
        super().__init__(message)
        self.answers = answers
        self.late = late


@dataclass(frozen=True, slots=True)
class Served:
    """What a server lists: its base model's name, how many tokens prompt and answer may have
    together, and its adapters with the folder each came from."""

    base_model: str
    context_tokens: int
    adapters: Mapping[str, str]


class VllmServer:
    """The HTTP API of one server."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        connections: int = 64,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`url` is without `/v1`; `transport` replaces the network, for tests."""
        self.url = re.sub(r"(?<=//)[^/?#]*@", "", url)  # without a password, for messages
        self.patience = patience or Patience()
        headers = {"Content-Type": "application/json"}
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {}),
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=KEEPALIVE_S),
            transport=transport,
            trust_env=False,  # a private address is not reached through anybody's proxy
        )

    async def close(self) -> None:
        """Close all connections; idempotent."""
        await self._client.aclose()

    async def require_healthy(self) -> None:
        """Raises EngineDown if the server is not there, is not up yet, or its engine has died."""
        answer = await self._ask("GET", "/health")
        if not answer.is_success:
            raise EngineDown(
                f"vLLM at {self.url} is not well: /health answers {answer.status_code}"
            )

    async def require_known_version(self) -> None:
        """Raises EngineDown if the server is no vLLM, or one whose API is not known."""
        version = str(self._member(await self._ask("GET", "/version"), "version"))
        numbers = re.match(r"(\d+)\.(\d+)", version)
        release = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
        if not OLDEST <= release <= NEWEST:
            known = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
            raise EngineDown(f"{self.url} runs vLLM {version}; this gateway knows {known}")

    async def served(self) -> Served:
        """What the server lists. Raises EngineDown."""
        answer = await self._ask("GET", "/v1/models")
        cards = cast(list[dict[str, Any]], self._member(answer, "data"))
        try:
            base = next(card for card in cards if card.get("parent") is None)
            adapters = {card["id"]: str(card.get("root")) for card in cards if card.get("parent")}
            return Served(base["id"], int(base["max_model_len"]), adapters)
        except (StopIteration, KeyError, TypeError, ValueError, AttributeError) as exc:
            raise EngineDown(f"vLLM at {self.url} lists no base model") from exc

    async def tokenize(self, body: Mapping[str, Any]) -> list[int]:
        """The token ids that the server makes of a text (`prompt`) or of `messages`."""
        return list(self._member(await self._ask("POST", "/tokenize", body), "tokens"))

    async def load(self, version: str, folder: str) -> httpx.Response:
        """Ask for an adapter; the folder is on the server's machine. Raises ServerFailed."""
        body = {"lora_name": version, "lora_path": folder}
        return await self._ask("POST", "/v1/load_lora_adapter", body, wait=self.patience.load)

    async def unload(self, version: str) -> httpx.Response:
        """Ask to forget an adapter. Raises ServerFailed."""
        return await self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": version})

    async def complete(self, body: Mapping[str, Any]) -> httpx.Response:
        """Ask for a completion. Raises ServerFailed."""
        return await self._ask("POST", "/v1/completions", body, wait=self.patience.answer)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        wait: float | None = None,
    ) -> httpx.Response:
        seconds = wait or self.patience.connect
        limits = httpx.Timeout(seconds, connect=self.patience.connect, pool=self.patience.connect)
        if self._client.is_closed:
            raise EngineDown("the engine is stopped")
        # Escaped, because a schema may hold half a surrogate pair, which UTF-8 cannot carry.
        content = None if body is None else json.dumps(body)
        try:
            return await self._client.request(method, path, content=content, timeout=limits)
        except httpx.PoolTimeout as exc:
            raise EngineDown(f"every connection to vLLM at {self.url} is in use") from exc
        except httpx.TimeoutException as exc:
            late = not isinstance(exc, httpx.ConnectTimeout)
            kind = type(exc).__name__
            message = f"vLLM at {self.url} did not answer in time ({kind})"
            raise ServerFailed(message, late=late) from exc
        except httpx.RequestError as exc:
            why = str(exc) or type(exc).__name__
            raise ServerFailed(f"vLLM at {self.url} cannot be reached: {why}") from exc

    def _member(self, answer: httpx.Response, name: str) -> Any:
        """A member of an answer that must have it. Raises EngineDown."""
        try:
            if answer.is_success:
                return answer.json()[name]
        except (ValueError, LookupError, TypeError):
            pass
        raise EngineDown(
            f"vLLM at {self.url} answered {answer.request.url.path} with "
            f"{answer.status_code}: {reason(answer)}"
        )


def reason(answer: httpx.Response) -> str:
    """What a server gives as the reason of an error, in one line."""
    try:
        error = answer.json()["error"]
        text = error["message"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError):
        text = answer.text
    return " ".join(str(text).split())[:500] or "no reason given"
