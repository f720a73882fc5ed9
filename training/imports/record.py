"""Labelled calls of a gateway's record: its SQLite file, or the gateway itself over HTTP.

A row is what was asked, and the answer that the label says is right (`gateway.labels`); it was
made for the toolset that was live then. Calls that nobody labelled are not looked at; one that is
only known to be wrong teaches nothing that could be imitated, and is refused with the rest.
"""

import asyncio
import errno
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.commands.client import Gateway
from gateway.labels import answered
from gateway.records import Records
from training.imports.gate import REFUSALS, Imported, Refused
from training.members import reason_of

_PAGE = 1_000


def read(path: Path) -> Iterator[Imported | Refused]:
    """Row objects of the labelled calls in a gateway's records file, newest first.

    The file is only read; its gateway may run.

    Raises:
        OSError: there is no such file.
        ConfigurationError: it is no records file.
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    for call in asyncio.run(_labelled(path)):
        yield _row(call, str(path))


def read_gateway(url: str) -> Iterator[Imported | Refused]:
    """Row objects of the labelled calls of a running gateway, newest first.

    Raises:
        CommandFailed: the gateway does not answer, or refuses.
    """
    gateway, offset = Gateway(url), 0
    while True:
        page = f"/admin/calls?labelled=true&limit={_PAGE}&offset={offset}"
        calls = gateway.get(page)["calls"]
        for call in calls:
            yield _row(call, url)
        if len(calls) < _PAGE:
            return
        offset += _PAGE


async def _labelled(path: Path) -> list[dict[str, Any]]:
    records = Records(str(path), read_only=True)
    try:
        await records.open()
        return await records.calls(sys.maxsize, labelled=True)
    finally:
        await records.close()


def _row(call: Mapping[str, Any], source: str) -> Imported | Refused:
    place = f"{source}:{call['id']}"
    try:
        return Imported(_value(call), place)
    except REFUSALS as exc:
        return Refused(place, reason_of(exc), call)


def _value(call: Mapping[str, Any]) -> dict[str, Any]:
    label = call["label"]
    if label == "wrong":
        raise ValueError("labelled wrong, without the answer that would have been right")
    target = answered(call) if label == "right" else label
    if target is None:
        raise ValueError("labelled right, but nothing was proposed")
    if not call.get("messages"):
        raise ValueError(f"call {call['id']} was recorded without its conversation")
    if not call.get("live_fingerprint"):
        raise ValueError("the record does not say which tools were live")
    messages = [{"role": role, "content": content} for role, content in call["messages"]]
    return {"messages": messages, "target": target, "toolset": call["live_fingerprint"]}
