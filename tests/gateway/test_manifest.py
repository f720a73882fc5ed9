"""Adapter folders: what is read, what is refused and why."""

import json
import math
import re
import struct
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.errors import AdapterRefused
from gateway.fingerprint import digest
from gateway.manifest import (
    FILES,
    MAX_WEIGHT_BYTES,
    OFFERED,
    Calibration,
    PromptSpec,
    folder_digest,
    prompt_spec,
    read_adapter,
)
from gateway.types import Evidence, Toolset
from tests.adapters import support_toolset, write_adapter


def rewrite(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refusal(folder: Path) -> str:
    with pytest.raises(AdapterRefused, match=re.escape(str(folder))) as caught:
        read_adapter(folder)
    return str(caught.value)


def test_a_good_folder_is_read(tmp_path: Path):
    adapter = read_adapter(write_adapter(tmp_path / "a"))
    assert adapter.name == support_toolset().name
    assert adapter.toolset == support_toolset()
    assert adapter.version == f"{adapter.name}@{adapter.digest[:8]}"
    assert len(adapter.digest) == 64


@pytest.mark.parametrize("rank", [8, 16, 32, 64])
def test_the_ranks_that_vllm_serves_are_read(tmp_path: Path, rank: int):
    assert read_adapter(write_adapter(tmp_path / "a", rank=rank)).digest


@pytest.mark.parametrize(
    "prompt",
    [
        {"format": "json", "version": 1, "form": "name"},
        {"format": "json", "version": 1, "form": "lines"},
        {"format": "native", "version": 1, "form": "schemas"},
    ],
)
def test_the_formats_and_forms_that_we_render_are_read(tmp_path: Path, prompt: dict[str, Any]):
    folder = write_adapter(tmp_path / "a", prompt=prompt)
    assert read_adapter(folder).manifest.prompt == PromptSpec(**prompt) == prompt_spec(folder)


def test_a_folder_without_a_manifest_is_asked_by_default(tmp_path: Path):
    assert prompt_spec(tmp_path) == PromptSpec()


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_is_named(tmp_path: Path, missing: str):
    folder = write_adapter(tmp_path / "a")
    (folder / missing).unlink()
    assert f"not an adapter folder, {missing} missing" in refusal(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    assert ", ".join(FILES) in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("file", ["manifest.json", "toolset.json", "adapter_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{}"])
def test_a_broken_file_is_refused(tmp_path: Path, file: str, content: bytes):
    folder = write_adapter(tmp_path / "a")
    (folder / file).write_bytes(content)
    assert refusal(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": {"version": 99}}, "json prompt version 99, this gateway renders 1"),
        ({"prompt": {"format": "native", "version": 99, "form": "schemas"}},
         "native prompt version 99, this gateway renders 1"),
        ({"prompt": {"format": "native", "form": "name"}},
         "prompt form 'name', the format native has schemas"),
        ({"prompt": {"format": "xml"}}, "format"),
        ({"prompt": {"form": "short"}}, "form"),
        ({"prompt": {"max_prompt_tokens": 0}}, "max_prompt_tokens"),
        ({"toolset_fingerprint": "0" * 64}, "not the toolset that the manifest names"),
        ({"name": "Support"}, "name"),
        ({"name": "../../etc"}, "name"),
        ({"name": "a@b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"created": None}, "created"),
        ({"base_model": {"name": "x"}}, "weights_digest"),
        ({"calibration": {"threshold": 1.5}}, "threshold"),
        ({"calibration": {"scale": math.nan}}, "calibration.scale"),
        ({"calibration": {"offset": math.inf}}, "calibration.offset"),
        ({"toolset_mode": "any"}, "toolset_mode"),
        ({"toolset_mode": "varied", "prompt": {"form": "name"}}, "shows none of them"),
        ({"surprise": 1}, "surprise"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_served_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], reason: str
):
    folder = write_adapter(tmp_path / "a")
    rewrite(folder / "manifest.json", **changes)
    assert reason in refusal(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"r": 4}, "LoRA rank 4 is not one of"),
        ({"r": 128}, "LoRA rank 128"),
        ({"r": None}, "LoRA rank None"),
        ({"r": "16"}, "LoRA rank 16"),
        ({"r": [16]}, "LoRA rank"),
        ({"use_dora": True}, "use_dora=True is not served by vLLM"),
        ({"rank_pattern": {"q_proj": 8}}, "rank_pattern={'q_proj': 8} is not served by vLLM"),
        ({"alpha_pattern": {"q_proj": 8}}, "alpha_pattern={'q_proj': 8} is not served by vLLM"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save=['lm_head']"),
        ({"bias": "all"}, "bias='all'"),
        ({"lora_bias": True}, "lora_bias=True is not served by vLLM"),
    ],
)
def test_a_lora_that_vllm_would_not_serve_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
):
    folder = write_adapter(tmp_path / "a")
    rewrite(folder / "adapter_config.json", **changes)
    assert reason in refusal(folder)


@pytest.mark.parametrize(
    "changes",
    [{"use_dora": False, "modules_to_save": None, "bias": "none"}, {"modules_to_save": []}],
)
def test_what_peft_writes_by_default_is_served(tmp_path: Path, changes: dict[str, Any]):
    folder = write_adapter(tmp_path / "a")
    rewrite(folder / "adapter_config.json", **changes)
    assert read_adapter(folder).digest


def write_weights(file: Path, size: int) -> None:
    """A safetensors file of so many bytes, header included, with one tensor in it."""
    data = size - 8 - 100
    entry = {"w": {"dtype": "U8", "shape": [data], "data_offsets": [0, data]}}
    header = json.dumps(entry).encode().ljust(100)
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(data))


@pytest.mark.parametrize(
    ("more", "words"),
    [(-1, "truncated: 999 of 1000 bytes"), (1, "1 bytes that belong to no tensor")],
)
def test_weights_that_are_not_what_their_header_says_are_refused(
    tmp_path: Path, more: int, words: str
):
    folder = write_adapter(tmp_path / "a")
    file = folder / "adapter_model.safetensors"
    write_weights(file, 1000)
    assert read_adapter(folder).digest
    file.write_bytes(file.read_bytes()[:-1] if more < 0 else file.read_bytes() + b"0")
    assert words in refusal(folder)


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_weights_may_have_ten_megabytes_and_not_a_byte_more(tmp_path: Path, extra: int, fits: bool):
    folder = write_adapter(tmp_path / "a")
    write_weights(folder / "adapter_model.safetensors", MAX_WEIGHT_BYTES + extra)
    if fits:
        assert read_adapter(folder).digest
    else:
        assert "10000001 bytes, at most 10000000" in refusal(folder)


def test_a_changed_toolset_file_is_refused_even_if_it_lies_about_its_fingerprint(tmp_path: Path):
    folder = write_adapter(tmp_path / "a")
    stored = json.loads((folder / "toolset.json").read_text())
    stored["tools"][0]["description"] += "!"
    (folder / "toolset.json").write_text(json.dumps(stored))
    assert "not the toolset" in refusal(folder)


def test_a_toolset_in_another_order_is_the_same_toolset(tmp_path: Path):
    folder = write_adapter(tmp_path / "a")
    stored = support_toolset()
    turned = Toolset(stored.name, stored.tools[::-1])
    (folder / "toolset.json").write_text(json.dumps(turned.to_json()))
    assert read_adapter(folder).toolset == turned


def test_every_problem_is_told_at_once(tmp_path: Path):
    folder = write_adapter(tmp_path / "a")
    rewrite(folder / "adapter_config.json", r=4, use_dora=True)
    rewrite(folder / "manifest.json", toolset_fingerprint="0")
    assert refusal(folder).count(";") == 2


def test_the_digest_is_that_of_the_files_and_of_nothing_else(tmp_path: Path):
    folder = write_adapter(tmp_path / "a")
    before = folder_digest(folder)
    (folder / "README.md").write_text("notes")
    assert folder_digest(folder) == before == read_adapter(folder).digest
    assert folder_digest(write_adapter(tmp_path / "copy")) == before


@pytest.mark.parametrize("file", FILES)
def test_any_change_of_a_file_changes_the_digest(tmp_path: Path, file: str):
    folder = write_adapter(tmp_path / "a")
    before = folder_digest(folder)
    with (folder / file).open("ab") as stream:
        stream.write(b" ")
    assert folder_digest(folder) != before


def test_the_page_of_the_report_is_no_part_of_the_adapter(tmp_path: Path):
    folder = write_adapter(tmp_path / "a")
    before = read_adapter(folder)
    for page in ("<p>90 %</p>", "<p>99 %</p>"):
        (folder / "report.html").write_text(page)
        assert read_adapter(folder) == before


def test_the_digest_of_a_known_folder(tmp_path: Path):
    (tmp_path / "eval.jsonl").write_bytes(b"abc")
    sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert folder_digest(tmp_path) == digest({"eval.jsonl": sha256_of_abc})


@pytest.mark.parametrize(
    ("decided", "worded", "confidence"),
    [
        (0.0, 0.0, 0.8807970779778823),
        (-1.0, 0.0, 0.5),
        (-0.5, -1.0, 0.6224593312018546),
        (-2.0, 0.0, 0.11920292202211755),
    ],
)
def test_confidence_is_the_sigmoid_of_the_weighted_evidence(
    decided: float, worded: float, confidence: float
):
    calibration = Calibration(scale=2.0, free_text_scale=0.5, offset=2.0)
    assert calibration.confidence(Evidence(decided, worded)) == pytest.approx(confidence)


def test_a_manifest_with_one_scale_weighs_both_parts_with_it():
    calibration = Calibration(scale=2.0, offset=2.0)
    assert calibration.confidence(Evidence(-0.25, -0.75)) == pytest.approx(0.5)


@pytest.mark.parametrize("logprob", [float("-inf"), -1e308, 1e308, float("inf")])
def test_confidence_stays_between_nought_and_one(logprob: float):
    weighed = Calibration(scale=5.0, free_text_scale=0.0)
    assert 0.0 <= weighed.confidence(Evidence(logprob, logprob)) <= 1.0


def test_a_manifest_is_frozen(tmp_path: Path):
    adapter = read_adapter(write_adapter(tmp_path / "a"))
    with pytest.raises(ValidationError):
        adapter.manifest.name = "other"


def test_an_adapter_that_learned_its_toolset_is_shown_it_whatever_is_on_offer(tmp_path: Path):
    adapter = read_adapter(write_adapter(tmp_path / "a"))
    offer = Toolset("live", support_toolset().tools[:2])
    assert adapter.manifest.toolset_mode == "exact"
    assert adapter.offering(offer) == adapter.offering(None) == adapter


def test_an_adapter_trained_on_varied_tools_is_shown_the_offer_and_stays_the_same_version(
    tmp_path: Path,
):
    folder = write_adapter(tmp_path / "a", toolset_mode="varied", prompt={"form": "lines"})
    adapter = read_adapter(folder)
    asked = adapter.offering(Toolset("live", support_toolset().tools[:2]))
    assert asked.toolset == Toolset(OFFERED, support_toolset().tools[:2])
    assert (asked.version, asked.manifest) == (adapter.version, adapter.manifest)
    assert adapter.offering(None).toolset == Toolset(OFFERED, support_toolset().tools)
