"""The manifest: what an adapter was trained on, how, and how it scored.

The only contract between `training` and `gateway`. An adapter folder holds
`adapter_model.safetensors`, `adapter_config.json`, `manifest.json`, `toolset.json`, `eval.jsonl`
and `report.json`. Its digest is sha256 over the canonical {file: sha256} and is kept outside.

Publishing lays `report.html` beside them, a page for people that is made of `report.json` and
`manifest.json` alone. The gateway neither needs, reads nor stores it and the digest leaves it out:
whoever doubts a page makes it again from files that the digest covers.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import AdapterRefused
from gateway.fingerprint import digest
from gateway.formats.base import FormatName
from gateway.formats.known import FORMATS
from gateway.prompt import PROMPT_VERSION, PromptForm
from gateway.types import Evidence, Toolset
from gateway.weights import require_whole

FILES = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "manifest.json",
    "toolset.json",
    "eval.jsonl",
    "report.json",
)
MAX_WEIGHT_BYTES = 10_000_000
SERVABLE_RANKS = (8, 16, 32, 64)
SHOWN_DIGITS = 8

ToolsetMode = Literal["exact", "varied"]
"""Whether an adapter learned one toolset, or from rows that each carried their own tools."""
OFFERED = "tools"
"""The name by which a prompt calls tools that are no toolset of their own."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PromptSpec(_Part):
    """How the toolset and the conversation become a prompt."""

    format: FormatName = "json"
    version: int = PROMPT_VERSION
    form: PromptForm = "name"
    max_prompt_tokens: int = Field(default=2048, gt=0)
    max_answer_tokens: int = Field(default=256, gt=0)


class Calibration(_Part):
    """Turns an answer's evidence into a confidence; calls below `threshold` are withheld.

    Confidence = sigmoid(scale * decided + free_text_scale * worded + offset), a logistic
    regression on validation rows. Without `free_text_scale` both parts weigh the same.
    """

    scale: float = 1.0
    free_text_scale: float | None = None
    offset: float = 0.0
    threshold: float = Field(default=0.5, ge=0, le=1)

    def confidence(self, evidence: Evidence) -> float:
        """The calibrated probability that an answer is right, 0 to 1."""
        free = self.scale if self.free_text_scale is None else self.free_text_scale
        # Nought times an infinite log-probability would be no number.
        decided = self.scale * evidence.decided if self.scale else 0.0
        worded = free * evidence.worded if free else 0.0
        score = max(-60.0, min(60.0, decided + worded + self.offset))
        return 1.0 / (1.0 + math.exp(-score))


class Probe(_Part):
    """A golden request run against an engine before the adapter is activated."""

    request: str
    target: dict[str, Any]


class BaseModelSpec(_Part):
    """The base model the adapter belongs to, identified by its weights."""

    name: str
    weights_digest: str


class Manifest(_Part):
    """What an adapter was trained on, how, and how it scored.

    A `varied` adapter is shown the tools on offer and has no drift; its toolset is what it is
    graded and probed with.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    base_model: BaseModelSpec
    prompt: PromptSpec = PromptSpec()
    toolset: str
    toolset_fingerprint: str
    toolset_mode: ToolsetMode = "exact"
    calibration: Calibration = Calibration()
    probes: tuple[Probe, ...] = ()
    data: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    environment: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    created: str


@dataclass(frozen=True)
class Adapter:
    """One version of one LoRA adapter, read and checked."""

    folder: Path
    digest: str
    manifest: Manifest
    toolset: Toolset

    @property
    def name(self) -> str:
        """The adapter's name without its version."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """`name@digest`, eight hex digits shown."""
        return f"{self.name}@{self.digest[:SHOWN_DIGITS]}"

    def offering(self, tools: Toolset | None) -> "Adapter":
        """The adapter as it is asked while `tools` are on offer; its `toolset` is what it is shown.

        One that learned its toolset is shown that one, whatever is on offer. A `varied` one is
        shown the tools on offer (its own toolset's if that is None), under the name that its rows
        had for theirs.
        """
        if self.manifest.toolset_mode == "exact":
            return self
        shown = self.toolset if tools is None else tools
        return replace(self, toolset=Toolset(OFFERED, shown.tools))


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter folder and check everything that can be known without an engine.

    Raises:
        AdapterRefused: a file is missing or broken, the prompt's version or form is not one that
            we render in its format, the toolset is not the one the manifest names, the weights
            are truncated, or vLLM would not serve the LoRA.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise AdapterRefused(f"{folder}: not an adapter folder, {', '.join(missing)} missing")
    try:
        manifest = Manifest.model_validate_json((folder / "manifest.json").read_bytes())
        toolset = Toolset.from_json(_object(folder / "toolset.json"))
        config = _object(folder / "adapter_config.json")
    except (ValidationError, ValueError, RecursionError, OSError) as exc:
        raise AdapterRefused(f"{folder}: {_first_line(exc)}") from exc
    problems = _problems(manifest, toolset, config, folder)
    if problems:
        raise AdapterRefused(f"{folder}: {'; '.join(problems)}")
    return Adapter(folder, folder_digest(folder), manifest, toolset)


def prompt_spec(folder: Path) -> PromptSpec:
    """How a folder's adapter wants to be asked; the defaults for a bare PEFT folder.

    Raises:
        ValueError: the manifest is broken.
    """
    file = folder / "manifest.json"
    if not file.is_file():
        return PromptSpec()
    return Manifest.model_validate_json(file.read_bytes()).prompt


def folder_digest(folder: Path) -> str:
    """sha256 over the canonical {file: sha256} of the adapter's files."""
    return digest({name: _sha256(folder / name) for name in FILES if (folder / name).is_file()})


def _problems(
    manifest: Manifest, toolset: Toolset, config: dict[str, Any], folder: Path
) -> Sequence[str]:
    found: list[str] = []
    prompt = manifest.prompt
    format = FORMATS[prompt.format]
    if prompt.version != format.version:
        found.append(
            f"{prompt.format} prompt version {prompt.version}, this gateway renders "
            f"{format.version}"
        )
    if prompt.form not in format.forms:
        found.append(
            f"prompt form {prompt.form!r}, the format {prompt.format} has {', '.join(format.forms)}"
        )
    if manifest.toolset_mode == "varied" and prompt.form == "name":
        found.append("trained on varied tools, but the prompt form 'name' shows none of them")
    if toolset.fingerprint != manifest.toolset_fingerprint:
        found.append("toolset.json is not the toolset that the manifest names")
    return [*found, *lora_problems(config), *_weight_problems(folder)]


def lora_problems(config: Mapping[str, Any]) -> Sequence[str]:
    """What vLLM would not serve of a LoRA with this PEFT configuration."""
    found: list[str] = []
    if config.get("r") not in SERVABLE_RANKS:
        found.append(f"LoRA rank {config.get('r')} is not one of {SERVABLE_RANKS}")
    for key, harmless in (
        ("use_dora", False), ("modules_to_save", None), ("bias", "none"), ("lora_bias", False),
        ("rank_pattern", {}), ("alpha_pattern", {}),
    ):  # fmt: skip
        if config.get(key, harmless) not in (harmless, None, []):
            found.append(f"{key}={config[key]!r} is not served by vLLM")
    if config.get("peft_type", "LORA") != "LORA":
        found.append(f"peft_type {config['peft_type']!r} is not LORA")
    return found


def _weight_problems(folder: Path) -> Sequence[str]:
    weights = folder / "adapter_model.safetensors"
    size = weights.stat().st_size
    if size > MAX_WEIGHT_BYTES:
        return [f"{weights.name} is {size} bytes, at most {MAX_WEIGHT_BYTES}"]
    try:
        require_whole(weights)
    except (ValueError, OSError) as exc:
        return [str(exc)]
    return ()


def _object(file: Path) -> dict[str, Any]:
    value = json.loads(file.read_bytes())
    if not isinstance(value, dict):
        raise ValueError(f"{file.name} is not a JSON object")
    return cast(dict[str, Any], value)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first_line(exc: Exception) -> str:
    return " ".join(str(exc).split("\n")[:3])
