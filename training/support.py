"""The support adapter, from rows to a published folder: the recipe behind `make train-support`.

    python -m training.support --base-model DIR [--out deploy/adapters/support]

Steps: train -> calibrate on the validation voice -> evaluate on the test voice -> publish. Each
step leaves its result under `.runs/support`, so a killed run goes on where it was.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from gateway.manifest import Probe
from gateway.types import Toolset
from training import base_model as smollm2
from training.recipe import Recipe, publish_run
from training.sft import Settings, train

DATA = Path("training/data/support")
TOOLSET = Path("mcp_servers/support/toolset.json")
RUN = Path(".runs/support")
SETTINGS = Settings(learning_rate=1.5e-3, batch_size=8, epochs=1.5)
MIN_EXACT = 0.8
PROBES = (
    Probe(
        request="Where is my order ORD-4821?",
        target={"tool": "track_order", "arguments": {"order_id": "ORD-4821"}},
    ),
    Probe(
        request="Please cancel order 77120, I ordered it twice.",
        target={
            "tool": "cancel_order",
            "arguments": {"order_id": "ORD-77120", "reason": "I ordered it twice"},
        },
    ),
    Probe(
        request="How many SKU-LAMP7 do you have in Lyon?",
        target={"tool": "check_stock", "arguments": {"sku": "SKU-LAMP7", "warehouse": "lyon"}},
    ),
    Probe(request="Thanks, have a nice day!", target={"tool": "no_tool", "reason": "thanks"}),
)


def report_progress(label: str, done: int, total: int) -> None:
    """A plain line every 20 rows."""
    if done % 20 == 0 or done == total:
        print(f"{label}: {done} of {total}", file=sys.stderr, flush=True)


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("deploy/adapters/support"))
    parser.add_argument("--served-only", action="store_true", help="grade what is served alone")
    parser.add_argument("--min-exact", type=float, default=MIN_EXACT, help="refuse below this")
    options = parser.parse_args()
    toolset = Toolset.from_json(json.loads(TOOLSET.read_text()))
    if not (RUN / "settings.json").is_file():
        train(toolset, DATA / "train", DATA / "validation", options.base_model, RUN, SETTINGS)
    recipe = Recipe(
        name="support",
        toolset=toolset,
        validation=DATA / "validation",
        test=DATA / "test",
        base_model=options.base_model,
        base_model_name=smollm2.NAME,
        probes=PROBES,
        minimum={"exact": options.min_exact, "valid_tool_call_rate": 0.98},
        served_only=options.served_only,
    )
    report = asyncio.run(publish_run(recipe, RUN, options.out, report_progress))
    exact = report["adapter"]["constrained"]["exact"]
    print(f"published {options.out}: exact {exact['value']} on {exact['n']} unseen rows")


if __name__ == "__main__":
    main()
