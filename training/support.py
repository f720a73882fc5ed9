"""The support adapter, from rows to a published folder: the recipe behind `make train-support`.

    python -m training.support --base-model DIR [--out deploy/adapters/support]

Steps: check the rows -> train -> calibrate on the validation voice -> evaluate on the test voice
-> publish, unless the version published so far is better. Each step leaves its result under
`.runs/support`, so a killed run goes on where it was.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from transformers import AutoTokenizer

from gateway.commands.output import progress
from gateway.manifest import Probe
from gateway.types import Toolset
from training import base_model as smollm2
from training.check.dataset import DatasetRefused
from training.check.lengths import Limit
from training.publish import PublishRefused
from training.recipe import Recipe, check_data, publish_run
from training.run import RunMismatch
from training.settings import Settings
from training.sft import train

DATA = Path("training/data/support")
TOOLSET = Path("mcp_servers/support/toolset.json")
RUN = Path(".runs/support")
SETTINGS = Settings(learning_rate=1.5e-3, batch_size=8, epochs=2.0)
MIN_EXACT = 0.8
BASE_ROWS = 60
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


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-model", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("deploy/adapters/support"))
    parser.add_argument("--served-only", action="store_true", help="grade what is served alone")
    parser.add_argument(
        "--base-rows", type=int, default=BASE_ROWS, help="test rows that the base model answers"
    )
    parser.add_argument("--min-exact", type=float, default=MIN_EXACT, help="refuse below this")
    compared = parser.add_mutually_exclusive_group()
    compared.add_argument("--against", type=Path, help="version in service; --out by default")
    compared.add_argument("--no-compare", action="store_true", help="publish even a worse one")
    options = parser.parse_args()
    try:
        make(options)
    except (DatasetRefused, PublishRefused, RunMismatch) as exc:
        sys.exit(f"refused: {exc}")


def make(options: argparse.Namespace) -> None:
    """Every step with the options of the command line.

    Raises:
        DatasetRefused: the rows have errors; nothing was trained.
        RunMismatch: `.runs/support` holds a run of other rows or settings.
        PublishRefused: the adapter is not good enough; nothing was published.
    """
    toolset = Toolset.from_json(json.loads(TOOLSET.read_text()))
    tokenizer = AutoTokenizer.from_pretrained(options.base_model)
    limit = Limit(tokenizer, SETTINGS.form, SETTINGS.max_length, SETTINGS.format)
    check_data(DATA, toolset, limit)
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
        against=options.against,
        compare=not options.no_compare,
        served_only=options.served_only,
        base_rows=options.base_rows,
    )
    report = asyncio.run(publish_run(recipe, RUN, options.out, progress))
    exact = report["adapter"]["constrained"]["exact"]
    print(f"published {options.out}: exact {exact['value']} on {exact['n']} unseen rows")


if __name__ == "__main__":
    main()
