"""`drift --measure`: what a drift costs, by replaying the rows that the adapter carries."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.commands.output import print_line
from gateway.commands.preflight import Compared
from gateway.drift_policy import withheld
from gateway.engines.base import Engine
from gateway.errors import ConfigurationError
from gateway.impact.figure import Impact, impact_of
from gateway.impact.replay import kept_file, kept_routes, replay
from gateway.impact.rows import EvalRow, read_eval_rows
from gateway.types import Route

KEPT = Path(".pointsman/impact")
_EVERY, _SHOWN_FLIPS = 20, 10


def measured(found: Compared, base_model: Path, limit: int | None, kept: Path = KEPT) -> Impact:
    """Replay an adapter's rows, at most `limit` of them, evenly spread.

    The model is loaded only for rows whose proposals are not kept yet beneath `kept`.

    Raises:
        AdapterRefused: the adapter carries no rows, or the engine cannot load it.
        ConfigurationError: the embedded engine is not installed, or the base model is not there.
        EngineDown: the engine fails.
    """
    adapter = found.adapter
    rows = _spread(read_eval_rows(adapter), limit)
    file = kept_file(kept, adapter, len(rows))
    routes: Sequence[Route | None] = kept_routes(file, rows)
    whole = [route for route in routes if route is not None]
    if len(whole) < len(rows):
        whole = list(asyncio.run(_asked(found, base_model, rows, file)))
    grades = withheld(found.policy, adapter.name)
    return impact_of(adapter, found.live, found.drift, grades, rows, whole)


def print_impact(value: dict[str, Any], summary: str) -> None:
    """The figure in one line, and the first rows that flipped."""
    print_line(f"  measured: {summary}")
    flips = value["flipped"]
    for flip in flips[:_SHOWN_FLIPS]:
        made = json.dumps(flip["proposed"], ensure_ascii=False)
        print_line(f"    {flip['before']} -> {flip['after']}: {flip['request']!r} {made}")
    if len(flips) > _SHOWN_FLIPS:
        print_line(f"    and {len(flips) - _SHOWN_FLIPS} more; --json has them all")


async def _asked(
    found: Compared, base_model: Path, rows: Sequence[EvalRow], file: Path
) -> Sequence[Route]:
    engine = _engine(base_model)
    await engine.start()
    try:
        await engine.load(found.adapter.version, found.adapter.folder)
        return await replay(engine, found.adapter, rows, file, _progress)
    finally:
        await engine.close()


def _engine(base_model: Path) -> Engine:
    if not (base_model / "config.json").is_file():
        raise ConfigurationError(f"{base_model}: no base model; name its folder with --base-model")
    try:
        from gateway.engines.local import LocalEngine
    except ImportError as exc:
        raise ConfigurationError(
            f"measuring needs the embedded engine: pip install 'pointsman[local]' ({exc})"
        ) from exc
    return LocalEngine(base_model)


def _spread(rows: Sequence[EvalRow], limit: int | None) -> Sequence[EvalRow]:
    if limit is None or limit >= len(rows):
        return rows
    return [rows[i * len(rows) // limit] for i in range(limit)]


def _progress(done: int, total: int) -> None:
    if done % _EVERY == 0 or done == total:
        print(f"replayed {done} of {total} rows", file=sys.stderr, flush=True)
