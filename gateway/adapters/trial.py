"""A version on trial beside the one in service, and which conversations it gets. Pure.

A canary answers a share of the conversations; a shadow is asked what the version in service was
asked, and its answer is compared and dropped. All requests of one conversation go one way.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.manifest import Adapter
from gateway.types import Message

TrialKind = Literal["canary", "shadow"]
Role = Literal["service", "canary", "shadow"]
"""What a version answers a request as."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One version on trial.

    `share` of the conversations (above 0, at most 1) are asked of it; with `auto` the rule of
    `gateway.adapters.verdict` ends the trial. `started` is in Unix seconds.
    """

    kind: TrialKind
    adapter: Adapter
    share: float
    auto: bool
    started: float

    def as_dict(self) -> dict[str, Any]:
        """The trial as it is kept and shown; the version stands for the adapter."""
        return {
            "version": self.adapter.version,
            "kind": self.kind,
            "share": self.share,
            "auto": self.auto,
            "started": self.started,
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any], adapter: Adapter) -> "Trial":
        """A kept trial of an adapter that was found again."""
        return cls(kept["kind"], adapter, kept["share"], kept["auto"], kept["started"])


def conversation_key(named: str | None, messages: Sequence[Message]) -> str:
    """What tells conversations apart: the name that the agent gave, else how the user began."""
    if named:
        return f"id:{named}"
    return next((f"text:{m.content}" for m in messages if m.role == "user"), "")


def chosen_for(version: str, key: str, share: float) -> bool:
    """Whether a conversation is among the `share` that a version gets.

    The same conversation always is or always is not; a larger share keeps those that a smaller one
    had; each version draws anew, so that it is not always the same customers who try.
    """
    drawn = hashlib.sha256(f"{version}\0{key}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(drawn[:8]) / 2**64 < share
