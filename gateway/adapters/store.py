"""Stored adapter versions: immutable folders named by digest, checked when they come in.

`add` copies a folder under `<store>/<name>@<digest>` in two steps (a temporary folder, then a
rename), so that a full disk or a crash leaves nothing that looks like an adapter.
"""

import asyncio
import contextlib
import shutil
import sqlite3
import uuid
from collections.abc import Mapping
from pathlib import Path

from gateway.engines.base import Engine
from gateway.errors import AdapterRefused, UnknownAdapter
from gateway.manifest import FILES, SHOWN_DIGITS, Adapter, folder_digest, read_adapter
from gateway.records import Records

_CHANGED = "the folder was changed after it came in"


class AdapterStore:
    """Every adapter version the gateway knows, by version."""

    def __init__(self, root: Path, records: Records, engine: Engine) -> None:
        self._root = root
        self._records = records
        self._engine = engine
        self._adapters: dict[str, Adapter] = {}
        self._configured: set[str] = set()
        self._problems: frozenset[str] = frozenset()
        self._one_at_a_time = asyncio.Lock()

    @property
    def adapters(self) -> Mapping[str, Adapter]:
        """Version -> adapter."""
        return self._adapters

    def is_configured(self, version: str) -> bool:
        """Whether the configuration file declares the version, which makes it read-only here."""
        return version in self._configured

    async def follow(self) -> list[str]:
        """Take in the versions that are kept, of an earlier run or added through another gateway,
        and forget those that were removed. Returns why any of them cannot be used, once."""
        kept = {row["version"]: row for row in await self._records.adapters()}
        for gone in self._adapters.keys() - kept.keys() - self._configured:
            del self._adapters[gone]
        problems: dict[str, None] = {}
        for version, row in kept.items():
            if version in self._adapters:
                continue
            folder = Path(row["folder"])
            try:
                if not self._holds(folder):
                    raise AdapterRefused(f"{version}: {folder} lies outside the store")
                adapter = await asyncio.to_thread(read_adapter, folder)
                if adapter.digest != row["digest"]:
                    raise AdapterRefused(f"{version}: {_CHANGED}")
                self._adapters[version] = adapter
            except AdapterRefused as exc:
                problems[str(exc)] = None
        news = [problem for problem in problems if problem not in self._problems]
        self._problems = frozenset(problems)
        return news

    async def configure(self, folder: Path) -> Adapter:
        """Take in a folder that the configuration names, where it lies; of a version that is stored
        already the stored folder goes on serving. Raises AdapterRefused."""
        adapter = await self._checked(folder)
        self._configured.add(adapter.version)
        return self._adapters.setdefault(adapter.version, adapter)

    async def add(self, folder: Path) -> Adapter:
        """Copy an adapter folder into the store; adding the same version again changes nothing.

        Raises:
            AdapterRefused: the folder is no adapter, belongs to another base model, or cannot
                be copied.
        """
        async with self._one_at_a_time:
            return await self._add(folder)

    async def _add(self, folder: Path) -> Adapter:
        adapter = await self._checked(folder)
        if adapter.version in self._adapters:
            return self._adapters[adapter.version]
        home = self._root / f"{adapter.name}@{adapter.digest[: 2 * SHOWN_DIGITS]}"
        try:
            await asyncio.to_thread(_copy, folder, home)
        except OSError as exc:
            raise AdapterRefused(f"{adapter.version} cannot be stored: {exc.strerror}") from exc
        try:
            stored = await asyncio.to_thread(read_adapter, home)
            if stored.digest != adapter.digest:
                raise AdapterRefused(f"{folder} changed while it was copied")
            await self._records.keep_adapter(stored.version, stored.name, home, stored.digest)
        except (AdapterRefused, sqlite3.Error) as exc:
            await asyncio.to_thread(_delete, home)
            raise AdapterRefused(f"{adapter.version} cannot be stored: {exc}") from exc
        self._adapters[stored.version] = stored
        return stored

    def find(self, name: str) -> Adapter:
        """A version (`name@digest`, eight digits or more), or the newest version of a name.

        Raises:
            UnknownAdapter: nothing is stored under it.
        """
        alias, _, digits = name.partition("@")
        versions = [
            adapter for adapter in self._adapters.values()
            if adapter.name == alias and adapter.digest.startswith(digits)
            and (name == alias or len(digits) >= SHOWN_DIGITS)
        ]  # fmt: skip
        if not versions:
            known = ", ".join(self._adapters) or "none"
            raise UnknownAdapter(f"no adapter {name!r} is stored; stored: {known}")
        return versions[-1]

    async def remove(self, version: str) -> None:
        """Delete a stored version; a configured one is only forgotten.

        Raises:
            UnknownAdapter: it is not stored.
            AdapterRefused: its removal cannot be kept. Nothing has changed.
        """
        adapter = self.find(version)
        try:
            await self._records.drop_adapter(adapter.version)
        except sqlite3.Error as exc:
            raise AdapterRefused(f"{adapter.version} cannot be removed: {exc}") from exc
        self._adapters.pop(adapter.version, None)
        if self._holds(adapter.folder) and not self.is_configured(adapter.version):
            await asyncio.to_thread(_delete, adapter.folder)

    def _holds(self, folder: Path) -> bool:
        """Whether a folder lies in the store itself, by whatever way it is named."""
        return folder.resolve().parent == self._root.resolve()

    async def _checked(self, folder: Path) -> Adapter:
        adapter = await asyncio.to_thread(read_adapter, folder)
        digest = await self._engine.weights_digest()
        wanted = adapter.manifest.base_model
        if digest is not None and digest != wanted.weights_digest:
            raise AdapterRefused(
                f"{adapter.version} belongs to base model {wanted.name} "
                f"({wanted.weights_digest[:SHOWN_DIGITS]}), the engine runs "
                f"{digest[:SHOWN_DIGITS]}"
            )
        return adapter


async def require_unchanged(adapter: Adapter) -> None:
    """Read a version's files again. Raises AdapterRefused if they are not what came in."""
    try:
        found = await asyncio.to_thread(folder_digest, adapter.folder)
    except OSError as exc:
        raise AdapterRefused(f"{adapter.folder}: {exc.strerror}") from exc
    if found != adapter.digest:
        raise AdapterRefused(f"{adapter.version}: {_CHANGED}")


def _beside(home: Path) -> Path:
    """A name that no adapter has, in the same folder."""
    return home.with_name(f".{home.name}.{uuid.uuid4().hex}")


def _delete(home: Path) -> None:
    """Delete a folder, which looks like an adapter to the end or not at all."""
    gone = _beside(home)
    with contextlib.suppress(OSError):
        home.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _copy(folder: Path, home: Path) -> None:
    if home.exists():
        _delete(home)
    made = _beside(home)
    made.mkdir(parents=True)
    try:
        for name in FILES:
            shutil.copyfile(folder / name, made / name)
        made.rename(home)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        raise
