"""A gateway as the command line reaches it: HTTP with the key of POINTSMAN_KEY.

Every answer is a JSON object. Everything else (a problem document, no answer, somebody else's
server) is a `CommandFailed` that says what to do.
"""

import json
import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, cast
from urllib.parse import quote, urlsplit

import httpx
import typer

from gateway.commands.output import CANNOT_TELL, FAILED, CommandFailed, with_errors

DEFAULT_URL = "http://127.0.0.1:8080"
_CONNECT_S = 5.0
_ANSWER_S = 60.0

Url = Annotated[
    str, typer.Option("--url", help="The gateway's address; its key comes from POINTSMAN_KEY.")
]


class Gateway:
    """Asks one gateway; without an answer the command ends with the exit code `failure`."""

    def __init__(
        self, url: str, *, failure: int = FAILED, environ: Mapping[str, str] = os.environ
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"--url {url!r} does not begin with http:// or https://", 2)
        key = environ.get("POINTSMAN_KEY", "").strip()
        if not (key.isascii() and key.isprintable()):
            raise CommandFailed("POINTSMAN_KEY holds characters that no key has", 2)
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._failure = failure

    def get(self, path: str) -> dict[str, Any]:
        """The answer to a GET."""
        return self._ask("GET", path)

    def delete(self, path: str) -> dict[str, Any]:
        """The answer to a DELETE."""
        return self._ask("DELETE", path)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, patient: bool = False
    ) -> dict[str, Any]:
        """The answer to a POST; `patient` for work that takes as long as it takes."""
        return self._ask("POST", path, body, None if patient else _ANSWER_S)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        answer_s: float | None = _ANSWER_S,
    ) -> dict[str, Any]:
        try:
            response = httpx.request(
                method,
                self._url + path,
                # Written here: httpx cannot encode what a terminal may pass on as lone surrogates.
                content=None if body is None else json.dumps(body),
                headers={**self._headers, "content-type": "application/json"},
                timeout=httpx.Timeout(answer_s, connect=_CONNECT_S),
                # A proxy of the environment knows the way out, not the way to this machine.
                trust_env=not is_loopback(urlsplit(self._url).hostname or ""),
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as exc:
            raise CommandFailed(f"--url {self._url!r} is no address: {exc}", 2) from exc
        except (httpx.ReadTimeout, httpx.WriteTimeout) as exc:
            raise CommandFailed(
                f"the gateway at {self._url} did not answer within {_ANSWER_S:g} s; its log says "
                "what it is doing",
                self._failure,
                code="timeout",
            ) from exc
        except httpx.TransportError as exc:
            raise CommandFailed(
                f"no gateway answers at {self._url} ({exc or type(exc).__name__}); start one with "
                "`pointsman serve`, or name another with --url",
                self._failure,
                code="unreachable",
            ) from exc
        return self._judged(response)

    def _judged(self, response: httpx.Response) -> dict[str, Any]:
        try:
            value: Any = response.json()
        except ValueError:
            value = None
        if isinstance(value, dict):
            document = cast(dict[str, Any], value)
            if response.is_success:
                return document
            if response.headers.get("content-type", "").startswith("application/problem+json"):
                raise CommandFailed(_told(document), self._failure, problem=document)
        raise CommandFailed(
            f"{self._url} answered {response.status_code} and is no Pointsman gateway; name the "
            "gateway's address with --url",
            self._failure,
            code="not_a_gateway",
        )


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="@")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def pairs(values: list[str] | None, option: str) -> dict[str, str]:
    """`K=V` values of an option as a dictionary."""
    found: dict[str, str] = {}
    for value in values or ():
        key, equals, rest = value.partition("=")
        if not key or not equals:
            raise CommandFailed(f"{option} takes KEY=VALUE", CANNOT_TELL)
        found[key] = rest
    return found


def _told(problem: Mapping[str, Any]) -> str:
    detail = str(problem.get("detail") or problem.get("title") or "the gateway refused")
    if problem.get("code") == "invalid_arguments":
        return with_errors(detail, problem)
    if problem.get("status") == 401:
        return f"{detail}; put the gateway's key in POINTSMAN_KEY"
    return detail
