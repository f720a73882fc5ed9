"""A new adapter against the version in service, which it may not be worse than.

- Both are graded as they are served (with grammar and grounding, the threshold off) on the same
  test rows, and the new one may not answer fewer of them exactly.
- The figures of the version in service are those of its `report.json` where the report's
  `data_digest` says that its rows were these; otherwise it is graded again, on these rows.
- A version for another base model or another toolset cannot be compared: that is said, and it
  refuses nothing.

`refuse_worse` and `not_comparable` are pure; the others read a folder or ask an engine.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.engines.base import Engine
from gateway.errors import AdapterRefused
from gateway.manifest import SHOWN_DIGITS, Adapter, read_adapter
from gateway.types import Toolset
from training.evaluate import Progress, evaluate
from training.publish import PublishRefused
from training.rows import Row, rows_digest

logger = logging.getLogger(__name__)


def in_service(
    against: Path | None, out: Path, weights_digest: str, toolset: Toolset
) -> Adapter | None:
    """The version to compare with: that of `against`, or else the one that lies in `out`.

    None if there is none, or if it cannot be compared, which is logged.

    Raises:
        AdapterRefused: `against` is no adapter folder that the gateway would serve.
    """
    if against is None and not (out / "manifest.json").is_file():
        return None
    try:
        adapter = read_adapter(against or out)
    except AdapterRefused as exc:
        if against is not None:
            raise
        logger.warning("not compared: %s", exc)
        return None
    reason = not_comparable(adapter, weights_digest, toolset)
    if reason is None:
        return adapter
    logger.warning("not compared with %s: %s", adapter.version, reason)
    return None


def not_comparable(adapter: Adapter, weights_digest: str, toolset: Toolset) -> str | None:
    """Why an adapter's figures say nothing about one of this base model and toolset."""
    base = adapter.manifest.base_model
    if base.weights_digest != weights_digest:
        short = base.weights_digest[:SHOWN_DIGITS]
        return (
            f"it belongs to base model {base.name} ({short}), not {weights_digest[:SHOWN_DIGITS]}"
        )
    if adapter.toolset.fingerprint != toolset.fingerprint:
        return f"it serves another toolset ({adapter.toolset.fingerprint[:SHOWN_DIGITS]})"
    return None


async def compare(
    engine: Engine,
    report: Mapping[str, Any],
    served: Adapter,
    rows: Sequence[Row],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Hold a report against the version in service; returns `{version, exact, graded_again}`.

    Raises:
        PublishRefused: the new adapter is worse; both versions and figures are named.
        AdapterRefused, EngineDown: the version in service cannot be graded again.
    """
    before = kept_report(served, rows)
    graded_again = before is None
    if before is None:
        logger.warning("%s was graded on other rows and is graded again", served.version)
        await engine.load(served.version, served.folder)
        before = await evaluate(
            engine, served, rows, base_model=False, free=False, progress=progress
        )
    refuse_worse(report, before)
    exact = before["adapter"]["constrained"]["exact"]
    return {"version": served.version, "exact": exact, "graded_again": graded_again}


def kept_report(adapter: Adapter, rows: Sequence[Row]) -> dict[str, Any] | None:
    """The report in an adapter's folder, under the adapter's version, if it is about these rows.

    None if it is not, or is no report.
    """
    try:
        report = json.loads((adapter.folder / "report.json").read_bytes())
        graded = isinstance(_exact(report)["k"], int)
        same = graded and report["data_digest"] == rows_digest(rows)
    except (ValueError, KeyError, TypeError):
        return None
    if not same:
        return None
    # It was written before its folder had a digest, so it names the version it was graded as.
    return {**report, "adapter_version": adapter.version}


def refuse_worse(report: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Check the served exact answers against those of the version in service.

    Raises:
        ValueError: the reports are about different rows.
        PublishRefused: fewer rows are answered exactly.
    """
    if report["data_digest"] != before["data_digest"]:
        raise ValueError("reports about different rows cannot be compared")
    if _exact(report)["k"] < _exact(before)["k"]:
        raise PublishRefused(
            f"{report['adapter_version']} answers {_told(report)} exactly, "
            f"{before['adapter_version']} in service {_told(before)} of the same rows"
        )


def _exact(report: Mapping[str, Any]) -> Mapping[str, Any]:
    return report["adapter"]["constrained"]["exact"]


def _told(report: Mapping[str, Any]) -> str:
    exact = _exact(report)
    return f"{exact['k']} of {exact['n']} ({exact['value']})"
