"""Stored adapter versions: copied whole, checked at the door, never changed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.adapters.store import AdapterStore, require_unchanged
from gateway.engines.scripted import ScriptedEngine
from gateway.errors import AdapterRefused, UnknownAdapter
from gateway.manifest import FILES, folder_digest
from gateway.records import Records
from tests.adapters import write_adapter


@asynccontextmanager
async def stored(tmp_path: Path, digest: str | None = None) -> AsyncIterator[AdapterStore]:
    records = Records(str(tmp_path / "records.db"))
    await records.open()
    try:
        yield AdapterStore(tmp_path / "store", records, ScriptedEngine(digest=digest))
    finally:
        await records.close()


def kept(tmp_path: Path) -> list[Path]:
    store = tmp_path / "store"
    return sorted(store.iterdir()) if store.exists() else []


async def test_a_folder_is_copied_whole_and_named_by_its_digest(tmp_path: Path) -> None:
    source = write_adapter(tmp_path / "made")
    for extra in ("report.html", "notes.txt"):
        (source / extra).write_text("not part of an adapter")
    async with stored(tmp_path) as store:
        adapter = await store.add(source)
    (home,) = kept(tmp_path)
    assert adapter.folder == home
    assert home.name == f"support@{folder_digest(source)[:16]}"
    assert adapter.version == f"support@{folder_digest(source)[:8]}"
    assert sorted(file.name for file in home.iterdir()) == sorted(FILES)
    assert all((home / name).read_bytes() == (source / name).read_bytes() for name in FILES)


async def test_the_copy_outlives_its_source(tmp_path: Path) -> None:
    source = write_adapter(tmp_path / "made")
    async with stored(tmp_path) as store:
        adapter = await store.add(source)
    (source / "report.json").write_text('{"changed": true}')
    async with stored(tmp_path) as store:
        assert await store.follow() == []
        assert list(store.adapters) == [adapter.version]
        assert store.adapters[adapter.version].digest == adapter.digest


async def test_adding_the_same_version_again_changes_nothing(tmp_path: Path) -> None:
    source = write_adapter(tmp_path / "made")
    async with stored(tmp_path) as store:
        first, *others = await asyncio.gather(*(store.add(source) for _ in range(4)))
        assert all(adapter is first for adapter in others)
        assert len(kept(tmp_path)) == len(store.adapters) == 1


async def test_another_content_is_another_version_of_the_name(tmp_path: Path) -> None:
    async with stored(tmp_path) as store:
        first = await store.add(write_adapter(tmp_path / "one"))
        second = await store.add(write_adapter(tmp_path / "two", rank=32))
        assert first.version != second.version
        assert store.find("support") is second
        assert store.find(first.version) is first
        assert store.find(f"support@{first.digest}") is first
        assert store.find(f"support@{first.digest[:20]}") is first


@pytest.mark.parametrize("name", ["other", "support@12345678", "support@", "SHORT", "", "@"])
async def test_what_is_not_stored_is_unknown(tmp_path: Path, name: str) -> None:
    async with stored(tmp_path) as store:
        adapter = await store.add(write_adapter(tmp_path / "made"))
        wanted = adapter.version[:-1] if name == "SHORT" else name
        with pytest.raises(UnknownAdapter, match=f"stored: {adapter.version}"):
            store.find(wanted)


def without_weights(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()


def too_large(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"0" * 10_000_001)


def other_toolset(folder: Path) -> None:
    value = json.loads((folder / "toolset.json").read_text())
    value["tools"].pop()
    (folder / "toolset.json").write_text(json.dumps(value))


def broken_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def other_prompt(folder: Path) -> None:
    value = json.loads((folder / "manifest.json").read_text())
    value["prompt"] = {"version": 999}
    (folder / "manifest.json").write_text(json.dumps(value))


def config(**members: object):
    def write(folder: Path) -> None:
        (folder / "adapter_config.json").write_text(json.dumps({"r": 16, **members}))

    return write


def truncated(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def climbing_name(folder: Path) -> None:
    value = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**value, "name": "../up"}))


def config_is_a_list(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("[]")


def toolset_is_a_list(folder: Path) -> None:
    (folder / "toolset.json").write_text("[1]")


def tools_are_numbers(folder: Path) -> None:
    (folder / "toolset.json").write_text('{"name": "support", "tools": [1]}')


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_weights, "adapter_model.safetensors missing"),
        (too_large, "at most 10000000"),
        (other_toolset, "not the toolset that the manifest names"),
        (broken_manifest, "for Manifest"),
        (other_prompt, "prompt version 999"),
        (config(r=12), "rank 12"),
        (config(use_dora=True), "use_dora"),
        (config(modules_to_save=["lm_head"]), "modules_to_save"),
        (config(bias="all"), "bias"),
        (config(r=128), "rank 128"),
        (config(peft_type="LOHA"), "peft_type 'LOHA' is not LORA"),
        (truncated, "truncated"),
        (climbing_name, "name"),
        (config_is_a_list, "adapter_config.json"),
        (toolset_is_a_list, "toolset.json"),
        (tools_are_numbers, "for Tool"),
    ],
)
async def test_a_folder_that_cannot_be_served_is_refused_and_leaves_nothing(
    tmp_path: Path, spoil, words: str
) -> None:
    source = write_adapter(tmp_path / "made")
    spoil(source)
    async with stored(tmp_path) as store:
        with pytest.raises(AdapterRefused, match=words):
            await store.add(source)
        assert not store.adapters
    assert kept(tmp_path) == []


async def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    async with stored(tmp_path) as store:
        with pytest.raises(AdapterRefused, match="not an adapter folder"):
            await store.add(tmp_path / "nowhere")


@pytest.mark.parametrize(("digest", "fits"), [("0" * 64, True), (None, True), ("f" * 64, False)])
async def test_an_adapter_of_another_base_model_is_refused(
    tmp_path: Path, digest: str | None, fits: bool
) -> None:
    source = write_adapter(tmp_path / "made")
    async with stored(tmp_path, digest) as store:
        for take in (store.add, store.configure):
            if fits:
                assert (await take(source)).name == "support"
            else:
                with pytest.raises(AdapterRefused, match="belongs to base model tests"):
                    await take(source)


async def test_a_store_that_cannot_be_written_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file stands where the store should be")
    async with stored(tmp_path) as store:
        with pytest.raises(AdapterRefused, match="cannot be stored"):
            await store.add(write_adapter(tmp_path / "made"))
        assert not store.adapters


async def test_what_a_crash_left_behind_is_no_adapter_and_in_nobodys_way(tmp_path: Path) -> None:
    source = write_adapter(tmp_path / "made")
    half = tmp_path / "store" / f"support@{folder_digest(source)[:16]}"
    half.mkdir(parents=True)
    (half / "manifest.json").write_text("{")
    async with stored(tmp_path) as store:
        assert await store.follow() == []
        assert not store.adapters
        adapter = await store.add(source)
        assert folder_digest(adapter.folder) == adapter.digest


async def test_a_stored_folder_that_was_changed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    async with stored(tmp_path) as store:
        good = await store.add(write_adapter(tmp_path / "one"))
        bad = await store.add(write_adapter(tmp_path / "two", rank=32))
        gone = await store.add(write_adapter(tmp_path / "three", rank=64))
    (bad.folder / "report.json").write_text('{"better": "than it was"}')
    for file in gone.folder.iterdir():
        file.unlink()
    async with stored(tmp_path) as store:
        changed, missing = await store.follow()
        assert changed == f"{bad.version}: the folder was changed after it came in"
        assert "missing" in missing
        assert list(store.adapters) == [good.version]


async def test_a_removed_version_is_gone_for_good(tmp_path: Path) -> None:
    async with stored(tmp_path) as store:
        adapter = await store.add(write_adapter(tmp_path / "made"))
        await store.remove(adapter.version)
        assert kept(tmp_path) == []
        with pytest.raises(UnknownAdapter):
            await store.remove(adapter.version)
    async with stored(tmp_path) as store:
        assert await store.follow() == []
        assert not store.adapters


async def test_a_version_is_deleted_by_whatever_name_the_store_goes(tmp_path: Path) -> None:
    async with stored(tmp_path) as store:
        await store.add(write_adapter(tmp_path / "made"))
    (tmp_path / "other").symlink_to(tmp_path)
    async with stored(tmp_path / "other") as store:
        assert await store.follow() == []
        await store.remove("support")
    assert kept(tmp_path) == []


async def test_a_deletion_that_is_cut_short_leaves_nothing_that_looks_like_an_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stored(tmp_path) as store:
        await store.add(write_adapter(tmp_path / "made"))

        def cut_short(folder: Path, ignore_errors: bool = False) -> None:
            (folder / "adapter_config.json").unlink()

        monkeypatch.setattr("gateway.adapters.store.shutil.rmtree", cut_short)
        await store.remove("support")
        (left,) = kept(tmp_path)
        assert left.name.startswith(".support@")
        assert store.adapters == {}


async def test_a_configured_folder_stays_where_it_lies_even_when_removed(tmp_path: Path) -> None:
    source = write_adapter(tmp_path / "made")
    async with stored(tmp_path) as store:
        adapter = await store.configure(source)
        assert (adapter.folder, kept(tmp_path)) == (source, [])
        assert store.is_configured(adapter.version)
        await store.remove(adapter.version)
        assert folder_digest(source) == adapter.digest


async def test_a_version_that_is_stored_and_then_configured_goes_on_from_the_stored_folder(
    tmp_path: Path,
) -> None:
    source = write_adapter(tmp_path / "made")
    async with stored(tmp_path) as store:
        adapter = await store.add(source)
        assert await store.configure(source) is adapter
        assert store.is_configured(adapter.version)
        assert store.find("support").folder == adapter.folder


async def test_a_kept_folder_outside_the_store_is_left_out(tmp_path: Path) -> None:
    outside = write_adapter(tmp_path / "outside")
    records = Records(str(tmp_path / "records.db"))
    await records.open()
    await records.keep_adapter("support@1", "support", outside, folder_digest(outside))
    await records.close()
    async with stored(tmp_path) as store:
        (problem,) = await store.follow()
        assert problem == f"support@1: {outside} lies outside the store"
        assert not store.adapters


async def test_a_version_whose_files_are_those_that_came_in_is_unchanged(tmp_path: Path) -> None:
    async with stored(tmp_path) as store:
        adapter = await store.add(write_adapter(tmp_path / "made"))
        await require_unchanged(adapter)
        (adapter.folder / "eval.jsonl").write_text("{}")
        with pytest.raises(AdapterRefused, match=f"{adapter.version}: .* changed after it came in"):
            await require_unchanged(adapter)
