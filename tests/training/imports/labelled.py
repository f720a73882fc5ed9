"""Records files for tests, with labelled calls as a gateway leaves them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.records import Records
from tests.training.imports.samples import DESK, TRACK


def recorded(name: str, **more: Any) -> dict[str, Any]:
    """A call as the pipeline records it."""
    return {
        "id": name, "face": "rest", "model": "support@3f2a91c0", "outcome": "call",
        "calls": [TRACK], "proposal": None, "reason": None, "live_fingerprint": DESK.fingerprint,
        "messages": [["system", "be kind"], ["user", "where is ORD-4821? it is late"]], **more,
    }  # fmt: skip


def records(path: Path, *calls: dict[str, Any], labels: Mapping[str, Any], **settings: Any) -> Path:
    """A records file as a gateway leaves it."""

    async def write() -> None:
        kept = Records(str(path), **settings)
        await kept.open()
        for call in calls:
            kept.note_call(call)
        await kept.flush()
        for call_id, label in labels.items():
            await kept.label_call(call_id, label)
        await kept.close()

    asyncio.run(write())
    return path
