"""From a finished training run to a published folder: calibrate -> evaluate -> refuse or write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.engines.local import LocalEngine
from gateway.manifest import Adapter, BaseModelSpec, Calibration, Probe
from gateway.types import Toolset
from gateway.weights import weights_digest
from training import calibrate
from training.evaluate import Progress, answers, evaluate, proposals
from training.publish import refuse_below, write_folder
from training.rows import read_rows


@dataclass(frozen=True)
class Recipe:
    """What publishing needs besides the run. Rates are shares of all rows, 0 to 1.

    `served_only` grades what the gateway would serve and leaves free decoding and the base model
    out, which take the longest.
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
    served_only: bool = False


async def publish_run(
    recipe: Recipe, run: Path, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Calibrate on the validation rows, grade on the test rows, and write `out`.

    Raises:
        RowError: the rows cannot be read.
        PublishRefused: a figure is below its minimum; `out` is untouched.
        AdapterRefused: the gateway would not serve the adapter.
    """
    validation = read_rows(recipe.validation, recipe.toolset)
    test = read_rows(recipe.test, recipe.toolset)
    digest = weights_digest(recipe.base_model)

    def folder(
        target: Path, calibration: Calibration | None, report: Mapping[str, Any] | None
    ) -> Adapter:
        return write_folder(
            run, target, name=recipe.name, toolset=recipe.toolset,
            base_model=BaseModelSpec(name=recipe.base_model_name, weights_digest=digest),
            probes=recipe.probes, eval_rows=validation, calibration=calibration, report=report,
        )  # fmt: skip

    engine = LocalEngine(recipe.base_model)
    await engine.start()
    try:
        raw = folder(run / "uncalibrated", None, None)
        await engine.load(raw.version, raw.folder)
        found = await answers(engine, raw, validation, constrained=True, progress=progress)
        calibration = calibrate.fit(proposals(found), len(validation), recipe.max_wrong_rate)
        ready = folder(run / "calibrated", calibration, None)
        await engine.load(ready.version, ready.folder)
        full = not recipe.served_only
        report = await evaluate(engine, ready, test, base_model=full, free=full, progress=progress)
    finally:
        await engine.close()
    report["calibration"] = {
        **calibration.model_dump(),
        "validation_rows": len(validation),
        "validation_exact": sum(a.grade().exact for a in found) / len(validation),
    }
    refuse_below(report, recipe.minimum)
    folder(out, calibration, report)
    return report
