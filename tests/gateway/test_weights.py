"""The digest of a base model's weights."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from gateway.weights import weights_digest

Tensors = dict[str, tuple[str, list[int], bytes]]
TENSORS: Tensors = {
    "a.weight": ("F32", [2], b"\0\0\x80?\0\0\0@"),
    "b.weight": ("BF16", [1, 2], b"\x80?\0@"),
    "c.bias": ("F32", [0], b""),
}


def write(file: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Path:
    """A safetensors file, tensors in the order given."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        end = len(data) + len(content)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), end]}
        data += content
    text = json.dumps(header).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return file


def digest_of(folder: Path, tensors: Tensors) -> str:
    write(folder / "model.safetensors", tensors)
    return weights_digest(folder)


def test_the_same_weights_have_one_digest_however_they_are_sharded(tmp_path: Path):
    whole = digest_of(tmp_path / "whole", TENSORS)
    first, *rest = TENSORS.items()
    write(tmp_path / "shards" / "model-00001-of-00002.safetensors", dict(rest))
    write(tmp_path / "shards" / "model-00002-of-00002.safetensors", dict([first]))
    assert weights_digest(tmp_path / "shards") == whole
    assert len(whole) == 64


def test_order_and_metadata_do_not_change_the_digest(tmp_path: Path):
    turned = dict(reversed(TENSORS.items()))
    write(tmp_path / "turned" / "other_name.safetensors", turned, {"format": "pt"})
    assert weights_digest(tmp_path / "turned") == digest_of(tmp_path / "whole", TENSORS)


@pytest.mark.parametrize(
    "changed",
    [
        TENSORS | {"a.weight": ("F32", [2], b"\0\0\x80?\0\0\0A")},
        TENSORS | {"a.weight": ("I32", [2], b"\0\0\x80?\0\0\0@")},
        TENSORS | {"a.weight": ("F32", [2, 1], b"\0\0\x80?\0\0\0@")},
        TENSORS | {"d": ("F32", [0], b"")},
        {"a.weight": TENSORS["a.weight"]},
        {"x.weight" if name == "a.weight" else name: value for name, value in TENSORS.items()},
    ],
)
def test_any_change_of_a_tensor_changes_the_digest(tmp_path: Path, changed: Tensors):
    assert digest_of(tmp_path / "one", changed) != digest_of(tmp_path / "two", TENSORS)


def test_a_folder_without_weights_is_an_error(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no safetensors file"):
        weights_digest(tmp_path)


@pytest.mark.parametrize("kept", [0, 4, 8, 30, -1])
def test_a_truncated_file_is_an_error(tmp_path: Path, kept: int):
    file = write(tmp_path / "model.safetensors", TENSORS)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        weights_digest(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"version https://git-lfs.github.com/spec/v1\n",
        b"PK\x03\x04" + b"\0" * 100,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc",
        struct.pack("<Q", 9) + b'{"a": {}}',
        struct.pack("<Q", 8) + b'{"a": 1}',
    ],
)
def test_what_is_no_safetensors_file_is_an_error_that_names_it(tmp_path: Path, content: bytes):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        weights_digest(tmp_path)


def test_one_tensor_in_two_files_is_an_error(tmp_path: Path):
    write(tmp_path / "model-1.safetensors", TENSORS)
    write(tmp_path / "model-2.safetensors", {"a.weight": ("F32", [1], b"\0\0\0\0")})
    with pytest.raises(ValueError, match=r"a\.weight"):
        weights_digest(tmp_path)
