"""What stands around a training: check the rows before it, and publish its run afterwards.

check -> (training.sft) -> calibrate -> probe -> evaluate -> compare -> refuse or write
"""

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gateway.engines.base import Engine
from gateway.engines.local import LocalEngine
from gateway.heal.rows import SPLITS
from gateway.kept import KeptAnswers
from gateway.manifest import Adapter, BaseModelSpec, Probe
from gateway.types import Toolset
from gateway.weights import weights_digest
from training import calibrate
from training.check.dataset import check, read_splits
from training.check.lengths import Limit
from training.check.report import listed
from training.comparison import compare, in_service
from training.environment import environment
from training.evaluate import Progress, answers, evaluate, proposals
from training.probes import chosen, refuse_failing
from training.publish import PublishRefused, put_back, refuse_below, write_folder
from training.rows import Require, Row, RowError, read_rows, require_toolset
from training.run import mode_of, read_record, require_learned

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What publishing needs besides the run. Rates are shares of all rows, 0 to 1.

    The adapter must pass the `probes`; without any, validation rows that it answers right become
    its probes. `against` is the folder of the version in service, which the adapter may not be
    worse than (`training.comparison`); None is what the published folder holds so far, and
    `compare` False compares with nothing. `served_only` grades what the gateway would serve and
    leaves free decoding and the base model out, which take the longest; `base_rows` asks the base
    model for that many of the test rows alone.
    """

    name: str
    toolset: Toolset
    validation: Path
    test: Path
    base_model: Path
    base_model_name: str
    probes: Sequence[Probe] = ()
    minimum: Mapping[str, float] = field(default_factory=dict[str, float])
    max_wrong_rate: float = 0.03
    against: Path | None = None
    compare: bool = True
    served_only: bool = False
    base_rows: int | None = None


def check_data(
    data: Path, toolset: Toolset, limit: Limit | None = None, require: Require = require_toolset
) -> None:
    """Check the rows of all three splits as `dataset check` does; its warnings are logged.

    Raises:
        RowError: a row is broken, or a split is missing.
        DatasetRefused: there are errors; nothing may be trained on these rows.
    """
    splits = read_splits(data, toolset)
    missing = [name for name in SPLITS if name not in splits]
    if missing:
        raise RowError(f"{data}: holds no {', '.join(missing)}")
    for warning in listed(check(splits, toolset, limit=limit, require=require).warnings):
        logger.warning("%s", warning)


async def publish_run(
    recipe: Recipe,
    run: Path,
    out: Path,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Calibrate on the validation rows, probe, grade on the test rows, and write `out`.

    `engine` runs the recipe's base model; without one it is embedded. The probes stand before the
    test rows, which take long: a gateway would not bring an adapter that fails one into service.
    Answers are kept in the run's folder until `out` is written, so a killed publication goes on
    where it was.

    Raises:
        RunMismatch: the run learned another toolset than the recipe's, or on another base model.
        ToolsetMismatch: a row was made for another toolset than the run learned.
        RowError: the rows cannot be read.
        PublishRefused: a probe fails, a figure is below its minimum, or the version in service is
            better; `out` is untouched.
        ValueError: the answers kept in the run's folder are broken.
        AdapterRefused: the gateway would not serve the adapter, or not that of `recipe.against`.
        OSError: the run is not finished, or something cannot be written.
    """
    digest = weights_digest(recipe.base_model)
    require_learned(run, recipe.toolset, digest)
    validation, test = _graded_rows(recipe, run)
    put_back(out)
    served = in_service(recipe.against, out, digest, recipe.toolset) if recipe.compare else None
    write = partial(
        write_folder, run, name=recipe.name, toolset=recipe.toolset,
        base_model=BaseModelSpec(name=recipe.base_model_name, weights_digest=digest),
        eval_rows=validation, environment={**environment(), "measured": "when published"},
    )  # fmt: skip
    engine = engine or LocalEngine(recipe.base_model)
    await engine.start()
    try:
        with _until_a_verdict(run / "answers.jsonl") as kept:
            asked: Any = {"progress": progress, "kept": kept}
            raw = write(run / "uncalibrated", probes=())
            await engine.load(raw.version, raw.folder)
            found = await answers(engine, raw, validation, constrained=True, **asked)
            calibration = calibrate.fit(proposals(found), len(validation), recipe.max_wrong_rate)
            probes = recipe.probes or chosen(found)
            ready = write(run / "calibrated", probes=probes, calibration=calibration)
            await engine.load(ready.version, ready.folder)
            await refuse_failing(engine, ready)
            report = await _graded(recipe, engine, ready, test, asked)
            refuse_below(report, recipe.minimum)
            if served is not None:
                report["compared_with"] = await compare(engine, report, served, test, progress)
            report["calibration"] = {
                **calibration.model_dump(),
                "validation_rows": len(validation),
                "validation_exact": sum(a.grade().exact for a in found) / len(validation),
            }
            write(out, probes=probes, calibration=calibration, report=report)
    finally:
        await engine.close()
    return report


def _graded_rows(recipe: Recipe, run: Path) -> tuple[list[Row], list[Row]]:
    """Validation and test rows; made for the toolset that the run learned, if it learned one."""
    validation, test = (
        read_rows(file, recipe.toolset) for file in (recipe.validation, recipe.test)
    )
    if mode_of(read_record(run)) == "exact":
        require_toolset(validation, recipe.toolset)
        require_toolset(test, recipe.toolset)
    return validation, test


async def _graded(
    recipe: Recipe, engine: Engine, adapter: Adapter, rows: Sequence[Row], asked: Mapping[str, Any]
) -> dict[str, Any]:
    full = not recipe.served_only
    return await evaluate(
        engine, adapter, rows, base_model=full, base_rows=recipe.base_rows, free=full, **asked
    )


@contextmanager
def _until_a_verdict(file: Path) -> Generator[KeptAnswers]:
    """Answers that a publication leaves to the next, unless it came to a verdict."""
    kept = KeptAnswers(file)
    try:
        yield kept
    except PublishRefused:
        kept.forget()
        raise
    kept.forget()
