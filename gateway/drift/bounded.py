"""Equality and depth of JSON values that nobody vouches for: no recursion, no surprise.

Python's `==` takes True for 1 and gives up on deep values. Imports nothing of ours.
"""

import json
from typing import Any, cast

MAX_DEPTH = 200
"""Containers within containers; the validator refuses deeper schemas too."""


class Unbounded(Exception):
    """Comparing these schemas takes more steps than it is worth."""


def text_of(value: Any) -> str:
    """The same text for the same JSON, whatever the order of keys; for values of bounded depth."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def is_deep(value: Any) -> bool:
    """Whether a JSON value is nested deeper than `MAX_DEPTH`."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += cast(dict[str, Any], item).values()
            elif isinstance(item, list):
                inner += cast(list[Any], item)
        level = [item for item in inner if isinstance(item, dict | list)]
        depth += 1
    return depth > MAX_DEPTH


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal as JSON: 1 is 1.0, true is not 1, key order does not count."""
    try:
        if first != second:  # Far faster, and never wrong where it tells a difference.
            return False
    except RecursionError:
        pass
    pairs: list[tuple[Any, Any]] = [(first, second)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            old, new = cast(dict[str, Any], one), cast(dict[str, Any], other)
            if old.keys() != new.keys():
                return False
            pairs += [(value, new[key]) for key, value in old.items()]
        elif isinstance(one, list) and isinstance(other, list):
            if len(cast(list[Any], one)) != len(cast(list[Any], other)):
                return False
            pairs += zip(cast(list[Any], one), cast(list[Any], other), strict=True)
        elif isinstance(one, bool) is not isinstance(other, bool) or one != other:
            return False
    return True
