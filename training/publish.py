"""Write the adapter folder that the gateway serves (DESIGN 5.5), from a training run."""

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.formats.base import FormatName
from gateway.formats.known import FORMATS
from gateway.manifest import (
    Adapter,
    BaseModelSpec,
    Calibration,
    Manifest,
    Probe,
    PromptSpec,
    read_adapter,
)
from gateway.types import Toolset
from training.report_html import render
from training.rows import Row, row_json
from training.run import mode_of, read_record

_VARIED_ROOM: Mapping[str, int] = {"max_prompt_tokens": 8_000, "max_answer_tokens": 512}
"""An adapter of varied tools is shown whatever is on offer, and gets room for it."""


class PublishRefused(ValueError):
    """The adapter does not reach what it is asked for."""


def write_folder(
    run: Path,
    out: Path,
    *,
    name: str,
    toolset: Toolset,
    base_model: BaseModelSpec,
    probes: Sequence[Probe],
    eval_rows: Sequence[Row],
    calibration: Calibration | None = None,
    report: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Adapter:
    """Assemble `out` from a run of `training.sft`; the folder is replaced whole.

    What it held is moved aside for the moment in between; `put_back` undoes that.

    A report is also written as a page. `environment` is for a run that recorded none itself.

    Raises:
        AdapterRefused: the gateway would not serve what was made.
        KeyError: the report lacks a member that every report has.
    """
    record = read_record(run)
    settings = record["settings"]
    manifest = Manifest(
        name=name,
        base_model=base_model,
        prompt=_prompt(record),
        toolset=toolset.name,
        toolset_fingerprint=toolset.fingerprint,
        toolset_mode=mode_of(record),
        calibration=calibration or Calibration(),
        probes=tuple(probes),
        data={key: record[key] for key in ("rows", "tokens", "data_digest")},
        settings={**settings, "seconds": record["seconds"]},
        environment=dict(record.get("environment") or environment or {}),
        scores=dict((report or {}).get("adapter", {}).get("constrained", {})),
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    made = out.with_name(f".{out.name}.partial")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        shutil.copyfile(run / file, made / file)
    _tidy_config(made / "adapter_config.json", base_model.name)
    _write(made / "manifest.json", manifest.model_dump(mode="json"))
    _write(made / "toolset.json", toolset.to_json())
    _write(made / "report.json", report or {})
    lines = [json.dumps(row_json(row), ensure_ascii=False) for row in eval_rows]
    (made / "eval.jsonl").write_text("".join(line + "\n" for line in lines))
    adapter = read_adapter(made)
    if report:
        # The page is no part of the digest, so unlike report.json it can name the version.
        named = {**report, "adapter_version": adapter.version}
        page = render(named, manifest.model_dump(mode="json"))
        (made / "report.html").write_text(page, encoding="utf-8")
    aside = _aside(out)
    if out.exists():
        shutil.rmtree(aside, ignore_errors=True)
        out.rename(aside)
    made.rename(out)
    shutil.rmtree(aside, ignore_errors=True)
    return Adapter(out, adapter.digest, adapter.manifest, adapter.toolset)


def put_back(out: Path) -> None:
    """Give `out` what it held before a replacement that was killed half-way. Raises OSError."""
    if not out.exists() and _aside(out).is_dir():
        _aside(out).rename(out)


def unpublished(run: Path, out: Path, toolset: Toolset) -> Adapter:
    """A folder to grade a run with before anything is known of it: no report, no calibration."""
    nowhere = BaseModelSpec(name="unpublished", weights_digest="")
    return write_folder(
        run, out, name=toolset.name, toolset=toolset, base_model=nowhere, probes=(), eval_rows=()
    )


def refuse_below(report: Mapping[str, Any], minimum: Mapping[str, float]) -> None:
    """Check figures of the constrained adapter against minima.

    Raises:
        PublishRefused: a figure is below its minimum; all of them are named.
    """
    scores = report["adapter"]["constrained"]
    low = [
        f"{name} is {scores[name]['value']}, wanted at least {value}"
        for name, value in minimum.items()
        if (scores[name]["value"] or 0.0) < value
    ]
    if low:
        raise PublishRefused("; ".join(low))


def _prompt(record: Mapping[str, Any]) -> PromptSpec:
    """How the run's rows were rendered; runs before there were formats wrote JSON."""
    settings = record["settings"]
    named: FormatName = settings.get("format", "json")
    room = _VARIED_ROOM if mode_of(record) == "varied" else {}
    return PromptSpec(format=named, version=FORMATS[named].version, form=settings["form"], **room)


def _aside(out: Path) -> Path:
    return out.with_name(f".{out.name}.replaced")


def _tidy_config(file: Path, base_model: str) -> None:
    """PEFT writes the local path of the base model, which means nothing elsewhere."""
    config = json.loads(file.read_text())
    config["base_model_name_or_path"] = base_model
    _write(file, config)


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
