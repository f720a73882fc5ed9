"""JSON Pointers (RFC 6901), as every part of the gateway writes and reads them."""

from collections.abc import Iterable


def at(pointer: str, name: str | int) -> str:
    """The pointer of a member of what `pointer` points at."""
    return f"{pointer}/" + str(name).replace("~", "~0").replace("/", "~1")


def pointer_of(path: Iterable[str | int]) -> str:
    """The pointer of a path of names and indices; that of an empty path is empty."""
    return "".join(at("", part) for part in path)


def unescaped(part: str) -> str:
    """The name that a part of a pointer stands for."""
    return part.replace("~1", "/").replace("~0", "~")
