"""Adapters on one vLLM server: loaded at run time, seen in its list, refused, forgotten.

vLLM never reads a folder again under a name that it knows, and keeps what it cached under name and
path; so a version stands for one folder whose contents never change. One that is listed from
another folder, as an earlier run may have left it, is unloaded and loaded from here. Below stands
the server's API; above, the engine, which checks what needs no server.
"""

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import httpx

from gateway.engines.vllm_server import Served, VllmServer, reason
from gateway.errors import AdapterRefused, EngineDown

logger = logging.getLogger(__name__)


class VllmAdapters:
    """What a server was told to load. `loaded` is version -> folder as the server sees it; whether
    the server still holds it is another question (`held`)."""

    def __init__(self, server: VllmServer, folders: Mapping[Path, str]) -> None:
        """`folders` says under which path vLLM sees a folder of this machine; empty, it sees the
        same paths."""
        self._server = server
        self._folders = {here.resolve(): there for here, there in folders.items()}
        self.loaded: dict[str, str] = {}

    def held(self, served: Served) -> frozenset[str]:
        """Which of the loaded versions a list of the server shows, from the same folder."""
        held = (v for v, there in self.loaded.items() if served.adapters.get(v) == there)
        return frozenset(held)

    def as_seen(self, version: str, folder: Path) -> str:
        """A folder's path as vLLM sees it. Raises AdapterRefused if it does not."""
        folder = folder.resolve()
        if not self._folders:
            return str(folder)
        for here, there in self._folders.items():
            if folder.is_relative_to(here):
                return str(PurePosixPath(there, folder.relative_to(here).as_posix()))
        seen = ", ".join(map(str, self._folders))
        raise AdapterRefused(f"{version}: vLLM does not see {folder}, only what is in {seen}")

    async def load(self, version: str, folder: Path) -> None:
        """Have the server load an adapter, and wait until it is listed.

        A version that is listed already, from the folder it would be loaded from, is taken as it
        is: a version's folder never changes.

        Raises:
            AdapterRefused: the server will not load it, or has it from another folder although it
                was loaded here: somebody else wants it from there.
            EngineDown: the server failed.
        """
        there = self.as_seen(version, folder)
        served = await self._server.served()
        if version not in self.loaded and served.adapters.get(version, there) != there:
            await self.unload(version)
            served = await self._server.served()
        if version not in served.adapters:
            answer = await self._server.load(version, there)
            served = await self._listing(version, patient=answer.is_success)
            if version not in served.adapters:
                raise await self._refusal(version, there, answer)
        if served.adapters[version] != there:
            raise AdapterRefused(
                f"{version}: vLLM has loaded it from {served.adapters[version]}, not from {there}"
            )
        self.loaded[version] = there

    async def unload(self, version: str) -> None:
        """Have the server forget an adapter. A server that cannot be reached is left alone: down it
        has forgotten, and what stays loaded is found as it is by the next `load`."""
        self.loaded.pop(version, None)
        try:
            answer = await self._server.unload(version)
        except EngineDown as exc:
            logger.warning("adapter %s was not unloaded: %s", version, exc)
            return
        if not answer.is_success and answer.status_code != HTTPStatus.NOT_FOUND:
            logger.warning("adapter %s was not unloaded: %s", version, reason(answer))

    async def _listing(self, version: str, *, patient: bool) -> Served:
        """What the server lists; if patient, once the version is among it or patience ends."""
        served = await self._server.served()
        if not patient:
            return served
        try:
            async with asyncio.timeout(self._server.patience.load):
                while version not in served.adapters:
                    await asyncio.sleep(self._server.patience.look)
                    served = await self._server.served()
        except TimeoutError:
            logger.warning("vLLM took adapter %s but does not list it", version)
        return served

    async def _refusal(
        self, version: str, there: str, answer: httpx.Response
    ) -> AdapterRefused | EngineDown:
        if answer.is_success:
            return EngineDown(f"vLLM took adapter {version} but does not list it")
        if answer.is_server_error:
            try:
                await self._server.require_healthy()
            except EngineDown as exc:
                return EngineDown(f"adapter {version} could not be loaded: {exc}")
        why = reason(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            why += f"; vLLM must see {there} and run with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
        return AdapterRefused(f"{version}: vLLM does not load it: {why}")
