"""Two small adapters that answer the same requests differently, so that an answer shows its author.

    python -m tests.bench.swap_adapters [--base-model DIR]

Both learn from the same requests, one to answer with track_order, the other with cancel_order. Each
is published as two versions of the adapter `swap`: one with a probe, one without, whose activation
costs no more than to load and to flip. Trained once; kept in .runs/bench/swap.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from gateway.manifest import BaseModelSpec, Probe
from gateway.types import Toolset
from gateway.weights import weights_digest
from tests.adapters import support_toolset
from tests.end_to_end.on_vllm.stack import BASE_MODEL, ROOT

RUNS = ROOT / ".runs" / "bench" / "swap"
TOOLS = {"track": "track_order", "cancel": "cancel_order"}
PHRASES = (
    "Desk, please see to order {}.",
    "It is about {}.",
    "Order {}, as agreed.",
    "Do the usual with {}, thank you.",
    "{} is next.",
    "Could you take care of {}?",
)
TRAINED = tuple(range(1201, 9000, 977))
ASKED = tuple(range(20_011, 99_000, 1_013))
"""Numbers of the bench's requests, none of which was trained."""


@dataclass(frozen=True, slots=True)
class Version:
    """One published folder, the tool its answers call, and whether its activation probes."""

    folder: Path
    tool: str
    probed: bool


def request(number: int) -> str:
    """The n-th request of the bench."""
    return PHRASES[number % len(PHRASES)].format(f"ORD-{ASKED[number % len(ASKED)]}")


def versions(base_model: Path = BASE_MODEL, where: Path = RUNS) -> list[Version]:
    """The four versions, trained now unless they are there; sides take turns in the list."""
    return [_version(side, probed, base_model, where) for probed in (True, False) for side in TOOLS]


def _version(side: str, probed: bool, base_model: Path, where: Path) -> Version:
    folder = where / f"{side}-{'probed' if probed else 'plain'}"
    if not (folder / "manifest.json").is_file():
        _publish(side, probed, base_model, where, folder)
    return Version(folder, TOOLS[side], probed)


def _publish(side: str, probed: bool, base_model: Path, where: Path, folder: Path) -> None:
    # torch and trl take seconds that a bench with its adapters at hand need not wait for
    from training.publish import write_folder
    from training.rows import read_rows

    toolset, run = support_toolset(), where / f"{side}-run"
    _train(side, toolset, base_model, run)
    probe = Probe(request=PHRASES[0].format("ORD-5150"), target=_call(side, 5150))
    write_folder(
        run, folder, name="swap", toolset=toolset,
        base_model=BaseModelSpec(name=base_model.name, weights_digest=weights_digest(base_model)),
        probes=(probe,) if probed else (), eval_rows=read_rows(run / "rows.jsonl", toolset)[:1],
    )  # fmt: skip


def _train(side: str, toolset: Toolset, base_model: Path, run: Path) -> None:
    from training.settings import Settings
    from training.sft import train

    run.mkdir(parents=True, exist_ok=True)
    rows = run / "rows.jsonl"
    rows.write_text("".join(_rows(side, toolset)))
    settings = Settings(rank=8, alpha=16, learning_rate=2e-3, epochs=4.0, batch_size=8)
    train(toolset, rows, rows, base_model, run, settings)


def _rows(side: str, toolset: Toolset) -> list[str]:
    rows = [
        {"request": phrase.format(f"ORD-{number}"), "target": _call(side, number),
         "kind": "call", "toolset": toolset.fingerprint}
        for number in TRAINED
        for phrase in PHRASES
    ]  # fmt: skip
    return [json.dumps(row) + "\n" for row in rows]


def _call(side: str, number: int) -> dict[str, object]:
    return {"tool": TOOLS[side], "arguments": {"order_id": f"ORD-{number}"}}


def main() -> None:
    """Train and publish what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-model", type=Path, default=BASE_MODEL)
    for version in versions(parser.parse_args().base_model):
        print(f"{version.folder}: answers with {version.tool}")


if __name__ == "__main__":
    main()
