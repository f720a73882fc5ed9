"""The content digest of a base model: the same weights, the same digest, however they are sharded.

Reads the safetensors format (an 8-byte little-endian header length, a JSON header with each
tensor's dtype, shape and byte range, then the bytes), without torch.
"""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any, cast


def weights_digest(folder: Path) -> str:
    """sha256 over every tensor's name, dtype, shape and bytes, in the order of their names.

    Raises:
        FileNotFoundError: the folder holds no safetensors file.
        ValueError: a file is truncated or is no safetensors file, or two hold the same tensor.
    """
    tensors: dict[str, tuple[Path, int, dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        start, header = _header(file)
        for name, entry in header.items():
            if name in tensors:
                raise ValueError(f"{file} holds {name}, and so does {tensors[name][0].name}")
            tensors[name] = (file, start, entry)
    if not tensors:
        raise FileNotFoundError(f"{folder} holds no safetensors file")
    total = hashlib.sha256()
    for name in sorted(tensors):
        file, start, entry = tensors[name]
        total.update(json.dumps([name, entry["dtype"], entry["shape"]]).encode())
        first, last = entry["data_offsets"]
        with file.open("rb") as stream:
            stream.seek(start + first)
            data = stream.read(last - first)
        if len(data) != last - first:
            raise ValueError(f"{file} is truncated")
        total.update(data)
    return total.hexdigest()


def require_whole(file: Path) -> None:
    """Check that a file holds all bytes that its header tells of, and no others.

    Raises:
        ValueError: it is truncated, has bytes behind its tensors, or is no safetensors file.
    """
    start, header = _header(file)
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    size = file.stat().st_size
    if size < start + end:
        raise ValueError(f"{file.name} is truncated: {size} of {start + end} bytes")
    if size > start + end:
        raise ValueError(f"{file.name} has {size - start - end} bytes that belong to no tensor")


def _header(file: Path) -> tuple[int, dict[str, Any]]:
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= length <= 100_000_000:
            raise ValueError(f"{file} is no safetensors file")
        try:
            header = json.loads(stream.read(length))
        except ValueError as exc:
            raise ValueError(f"{file} is truncated or no safetensors file") from exc
    if not isinstance(header, dict):
        raise ValueError(f"{file} is no safetensors file")
    entries = cast(dict[str, Any], header)
    entries.pop("__metadata__", None)
    if not all(_is_entry(entry) for entry in entries.values()):
        raise ValueError(f"{file} is no safetensors file")
    return 8 + length, entries


def _is_entry(value: Any) -> bool:
    """Whether a header's member describes a tensor."""
    if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= value.keys():
        return False
    offsets = cast(dict[str, Any], value)["data_offsets"]
    return isinstance(offsets, list) and [type(o) for o in cast(list[Any], offsets)] == [int, int]
