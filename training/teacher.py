"""The teacher: a large model behind an OpenAI-compatible endpoint, the one client of it.

It takes chat messages and gives the answer. Knows nothing of rows, of toolsets or of what is asked
for. At most `concurrency` requests run at once. 408, 429, 5xx, a time-out and a connection that
fails or breaks are tried again, after the pause that `Retry-After` asks for or else after 1, 2, 4
... seconds; everything else that is no answer is a `TeacherError`. It is a `TaskRefused` where
another conversation may well be answered: 400, 413 and 422 (filters, lengths), and one that timed
out at every attempt. The key goes into one header and into no message; of the URL only the host
does.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

import httpx

from gateway.commands.client import is_loopback
from training.completion import Answer, read_completion, retry_after

_CONNECT_S = 15.0
_LONGEST_BACK_OFF_S = 60.0
_LONGEST_WAIT_S = 600.0
_SHOWN_CHARS = 300
_ENDPOINT = "/chat/completions"
_REFUSED = frozenset({400, 413, 422})
_TIMED_OUT = frozenset({408, 504})


class TeacherError(ConnectionError):
    """The teacher cannot be asked, or not like this; the message says why, never with the key.

    `fault` is the message without the endpoint's name, for who names the endpoint in other words.
    """

    def __init__(self, fault: str, endpoint: str = "") -> None:
        super().__init__(f"{endpoint} {fault}" if endpoint else fault)
        self.fault = fault


class TaskRefused(TeacherError):
    """The teacher does not answer this conversation; it may well answer others."""


class _Again(Exception):
    """Worth another try, after `wait_s` seconds if the endpoint says so; `lasting` if in vain."""

    def __init__(
        self,
        fault: str,
        wait_s: float | None = None,
        lasting: type[TeacherError] = TeacherError,
    ) -> None:
        super().__init__(fault)
        self.wait_s = wait_s
        self.lasting = lasting


class Teacher:
    """Asks one endpoint. An asynchronous context manager that owns its connections."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str = "",
        *,
        concurrency: int = 4,
        attempts: int = 5,
        timeout_s: float = 300.0,
        body: Mapping[str, Any] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`url` is the API's base, for example `https://host/v1`; `body` adds members to requests.

        Raises:
            ValueError: URL, model, key or a number cannot be used.
        """
        if not model:
            raise ValueError("the teacher's model has no name")
        if not (key.isascii() and key.isprintable()):
            raise ValueError("the teacher's key holds characters that no key has")
        if concurrency < 1 or attempts < 1 or timeout_s <= 0:
            raise ValueError(
                "the teacher's concurrency and attempts are 1 or more, its timeout above 0 s"
            )
        self._address = _address(url)
        self.model = model
        self.host = self._address.netloc.decode()
        self.concurrency = concurrency
        self._key = key
        self._body = {"model": model, **(body or {})}
        self._attempts = attempts
        self._slots = asyncio.Semaphore(concurrency)
        self._pause = pause
        self._client = httpx.AsyncClient(
            headers={
                "content-type": "application/json",
                **({"authorization": f"Bearer {key}"} if key else {}),
            },
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S, pool=None),
            transport=transport,
            # A proxy of the environment knows the way out, not the way to this machine.
            trust_env=not is_loopback(self._address.host),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def ask(self, messages: Sequence[Mapping[str, Any]], **members: Any) -> Answer:
        """The answer to a conversation, which may be empty; waits for a free slot.

        `members` are added to this one request (`tools`, `temperature`).

        Raises:
            TaskRefused: it refuses this conversation, or has no answer to it in time.
            TeacherError: it cannot be reached, refuses, or still fails after the last attempt.
        """
        # ASCII, because a tool's description may hold what UTF-8 cannot carry.
        body = json.dumps({**self._body, **members, "messages": list(messages)})
        async with self._slots:
            attempt = 1
            while True:
                try:
                    return await self._asked(body)
                except _Again as exc:
                    if attempt == self._attempts:
                        told = f"{exc} (asked {attempt} times)"
                        raise self._error(told, exc.lasting) from None
                    back_off = min(2.0 ** (attempt - 1), _LONGEST_BACK_OFF_S)
                    await self._pause(back_off if exc.wait_s is None else exc.wait_s)
                    attempt += 1

    async def _asked(self, body: str) -> Answer:
        """One attempt. Raises _Again or TeacherError."""
        started = time.perf_counter()
        try:
            response = await self._client.post(self._address, content=body)
        except httpx.ReadTimeout:
            raise _Again("did not answer in time", lasting=TaskRefused) from None
        except httpx.HTTPError as exc:
            why = self._shown(str(exc)) or type(exc).__name__
            raise _Again(f"cannot be reached: {why}") from None
        seconds = time.perf_counter() - started
        value = _object(response)
        status, fault = _status(response.status_code, value)
        said = self._shown(fault or response.text) or "(empty)"
        told = f"answers {status}: {said}"
        if status in (408, 429) or status >= 500:
            wait = retry_after(response.headers)
            if wait is not None and wait > _LONGEST_WAIT_S:
                raise self._error(f"{told} (and wants a pause of {wait:.0f} s: go on after it)")
            raise _Again(told, wait, TaskRefused if status in _TIMED_OUT else TeacherError)
        if status != 200:
            raise self._error(told, TaskRefused if status in _REFUSED else TeacherError)
        try:
            return replace(read_completion(value), seconds=seconds)
        except ValueError as exc:
            raise self._error(
                f"sent {exc}; --teacher takes the API's base, which often ends with /v1: {said}"
            ) from None

    def _error(self, fault: str, kind: type[TeacherError] = TeacherError) -> TeacherError:
        return kind(fault, f"the teacher at {self.host}")

    def _shown(self, text: str) -> str:
        """The beginning of a text on one line, without the key, which endpoints like to quote."""
        text = text.replace(self._key, "[key]") if self._key else text
        return " ".join(text.split())[:_SHOWN_CHARS]


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise ValueError(f"the teacher's URL cannot be used: {exc}") from exc
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError("the teacher's URL must begin with http:// or https:// and name a host")
    if address.userinfo:
        raise ValueError("the teacher's URL holds a password: put the key in the environment")
    path = address.path.rstrip("/").removesuffix(_ENDPOINT)
    return address.copy_with(path=path + _ENDPOINT)


def _object(response: httpx.Response) -> dict[str, Any]:
    """The body, or an empty object in place of anything that is none."""
    try:
        value: Any = response.json()
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _status(status: int, value: Mapping[str, Any]) -> tuple[int, str]:
    """Status and the endpoint's own words; some send a failure as 200 with its code within."""
    fault: Any = value.get("error")
    if not fault or "choices" in value:
        return status, ""
    members = cast(dict[str, Any], fault) if isinstance(fault, dict) else {"message": fault}
    code = members.get("code")
    within = code if isinstance(code, int) and 400 <= code < 600 else 400
    return (within if status == 200 else status), str(members.get("message") or fault)
