"""What a full disk leaves of a version that is being stored: nothing; of one that is being removed:
everything."""

import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.adapters.store import AdapterStore
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused
from gateway.manifest import folder_digest
from tests.adapters import write_adapter
from tests.gateway.adapters.test_store import kept, stored
from tests.gateway.adapters.yard import Disk


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What a full disk does to a write, by a limit of the system on this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_fills_up_during_the_copy_leaves_nothing_behind(tmp_path: Path) -> None:
    source = write_adapter(tmp_path / "made")
    (source / "eval.jsonl").write_text("\n" * 1_000_000)
    async with stored(tmp_path) as store:
        with no_file_longer_than(500_000), pytest.raises(AdapterRefused, match="cannot be stored"):
            await store.add(source)
        assert (kept(tmp_path), dict(store.adapters)) == ([], {})
        adapter = await store.add(source)
        assert folder_digest(adapter.folder) == adapter.digest


@pytest.fixture
async def disk() -> AsyncIterator[Disk]:
    disk = Disk()
    await disk.open()
    yield disk
    await disk.close()


async def test_a_version_that_cannot_be_recorded_is_not_stored(tmp_path: Path, disk: Disk) -> None:
    source = write_adapter(tmp_path / "made")
    store = AdapterStore(tmp_path / "store", disk, ScriptedEngine())
    disk.full = True
    with pytest.raises(AdapterRefused, match="cannot be stored: database or disk is full"):
        await store.add(source)
    assert (kept(tmp_path), dict(store.adapters)) == ([], {})
    disk.full = False
    assert (await store.add(source)).name == "support"


async def test_a_version_whose_removal_cannot_be_recorded_stays(tmp_path: Path, disk: Disk) -> None:
    store = AdapterStore(tmp_path / "store", disk, ScriptedEngine())
    adapter = await store.add(write_adapter(tmp_path / "made"))
    disk.full = True
    with pytest.raises(AdapterRefused, match=r"cannot be removed: .*disk is full"):
        await store.remove(adapter.version)
    assert (kept(tmp_path), list(store.adapters)) == ([adapter.folder], [adapter.version])
    assert folder_digest(adapter.folder) == adapter.digest
    disk.full = False
    await store.remove(adapter.version)
    assert (kept(tmp_path), dict(store.adapters)) == ([], {})
