"""`drift --plan` and `--apply`: what to do about a drift, and the part of it that is mechanical.

Knows an adapter beside its live tools, whoever asked for them: a gateway or the command itself.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.adapters.active import Active
from gateway.commands.output import print_line
from gateway.errors import BadRequest
from gateway.files import write_whole
from gateway.heal.plan import Plan
from gateway.heal.relabel import Relabeller
from gateway.heal.rows import SPLITS, read_lines, require_new, write_rows


def healed(found: Active, data: Path, out: Path | None) -> Plan:
    """The plan for an adapter and the data set that it was trained on; `out` is for its rows.

    Raises:
        BadRequest: not every server has listed, the adapter has no toolset of its own, or the rows
            cannot be used.
        SchemaError: a live schema cannot be used.
    """
    adapter = found.adapter
    if found.live is None:
        raise BadRequest(
            f"no plan without every server's tools: toolset {found.toolset} is not listed yet"
        )
    if adapter.manifest.toolset_mode == "varied":
        raise BadRequest(f"{adapter.version} is asked with whatever is on offer: nothing to heal")
    relabeller = Relabeller(adapter.toolset, found.live, found.drift)
    lines = read_lines(data, adapter.toolset)
    return Plan(
        adapter.version, adapter.toolset, found.live, found.drift,
        [(line, relabeller.heal(line.row)) for line in lines], out,
    )  # fmt: skip


def write_plan(plan: Plan, file: Path) -> None:
    """Write the plan as JSON. Raises BadRequest if the file cannot be written."""
    text = json.dumps(plan.as_dict(), indent=1, ensure_ascii=False) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
    except OSError as exc:
        raise BadRequest(f"{file}: cannot be written: {exc.strerror}") from exc


def apply_plan(plan: Plan, out: Path, keep: Mapping[str, int]) -> str:
    """Write the rows for the live toolset; returns one line about them."""
    counts = write_rows(out, plan.live, plan.found, keep)
    told = ", ".join(f"{split} {count}" for split, count in counts.items())
    return f"wrote {out}: {told}; {plan.counts['aside']} rows set aside in {out / 'aside'}"


def kept(chosen: Sequence[str]) -> Mapping[str, int]:
    """Split -> how many rows of it to write at most, from words like `train=400`.

    Raises:
        BadRequest: a word is not of that form.
    """
    found: dict[str, int] = {}
    for word in chosen:
        split, _, count = word.partition("=")
        if split not in SPLITS or not count.isdecimal() or int(count) < 1:
            raise BadRequest(
                f"--keep takes SPLIT=ROWS, such as train=400, of {', '.join(SPLITS)}; not {word!r}"
            )
        found[split] = int(count)
    return found


def heal(
    found: Active, data: Path, plan_file: Path | None, out: Path | None, keep: Mapping[str, int],
    told: bool,
) -> dict[str, object]:  # fmt: skip
    """Plan, write what is asked for, and tell it; returns the plan in the form of `--json`."""
    if out is not None:
        require_new(out)
    plan = healed(found, data, out)
    lines = list(plan.lines)
    if plan_file is not None:
        write_plan(plan, plan_file)
        lines.append(f"wrote {plan_file}")
    if out is not None:
        lines.append(apply_plan(plan, out, keep))
    if told:
        for line in lines:
            print_line(line)
    return plan.as_dict()
