"""The page of a report: well-formed, escaped, and without a way out of the file."""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.engines.base import Completion, Prompt, Token
from gateway.engines.scripted import ScriptedEngine
from gateway.manifest import Adapter, Calibration, Manifest
from gateway.types import Message
from tests.adapters import support_toolset
from training.evaluate import evaluate
from training.report_html import render
from training.rows import Row

DESK = support_toolset()
NASTY = '</blockquote><script>alert("1")</script><img src=x onerror="a()">&amp; \u202etxt'
TRACK: dict[str, Any] = {"tool": "track_order", "arguments": {"order_id": "ORD-1234"}}
HELP: dict[str, Any] = {"tool": "search_help", "arguments": {"query": NASTY}}
NO_TOOL: dict[str, Any] = {"tool": "no_tool", "reason": NASTY}
VOID = {"meta", "br", "img", "link", "input", "hr"}
FETCHING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "formaction"}


class Page(HTMLParser):
    """Reads a page strictly: every element that is opened is closed, in the right order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> is closed only within an SVG"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(text for _, text in self.texts))


class UnsureEngine(ScriptedEngine):
    """A scripted engine that is less sure of every answer than of the one before."""

    async def complete(self, prompt: Prompt) -> Completion:
        made = await super().complete(prompt)
        token = Token(made.text.encode(), -0.4 * len(self.prompts))
        return Completion(made.text, (token,), made.usage)


def row(text: str, target: dict[str, Any], kind: str = "call", voice: str = "plain") -> Row:
    return Row((Message("user", text),), target, kind, voice)


ROWS = [
    row("where is ORD-1234", TRACK),
    row(NASTY, TRACK),
    row("ORD-1234?", TRACK, voice=NASTY),
    row("track 12", TRACK),
    row("hello", NO_TOOL, "chat"),
    row("goodbye", NO_TOOL, "chat"),
    row("both", {"calls": [TRACK, HELP]}),
]
SAID = {"where is ORD-1234": TRACK, NASTY: HELP, "ORD-1234?": HELP, "hello": HELP, "both": HELP}


async def graded(rows: list[Row] = ROWS, **options: Any) -> dict[str, Any]:
    engine = UnsureEngine(SAID)
    adapter = Adapter(Path("unread"), "0" * 64, manifest(), DESK)
    engine.loaded[adapter.version] = adapter.folder
    return await evaluate(engine, adapter, rows, **options)


def manifest() -> Manifest:
    return Manifest.model_validate(
        {
            "name": "support",
            "base_model": {"name": NASTY, "weights_digest": "f" * 64},
            "toolset": DESK.name,
            "toolset_fingerprint": DESK.fingerprint,
            "calibration": Calibration(offset=1.0),
            "settings": {"rank": 16, "note": NASTY},
            "created": "2026-11-21T00:00:00Z",
        }
    )


async def page(
    report: Mapping[str, Any] | None = None, shown: Mapping[str, Any] | None = None
) -> Page:
    return Page(render(report or await graded(), shown))


async def test_the_page_is_well_formed_and_has_unique_ids_that_its_links_meet() -> None:
    found = await page(shown=manifest().model_dump(mode="json"))
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in found.all("a")} <= {f"#{name}" for name in ids}
    named = " ".join(a["aria-labelledby"] or "" for a in found.all("svg")).split()
    assert set(named) <= set(ids)


async def test_the_page_refers_to_nothing_outside_itself() -> None:
    text = render(await graded(), manifest().model_dump(mode="json"))
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    found = Page(text)
    assert not {"script", "link", "iframe", "img", "object", "base"} & {
        t for t, _ in found.elements
    }
    for _, attributes in found.elements:
        assert all((attributes[name] or "").startswith("#") for name in FETCHING & set(attributes))
    policy = next(a for a in found.all("meta") if a.get("http-equiv"))
    assert (policy["content"] or "").startswith("default-src 'none'")


async def test_what_others_wrote_is_text_wherever_it_stands() -> None:
    report = await graded()
    found = await page({**report, "teacher_model": NASTY}, manifest().model_dump(mode="json"))
    assert not any(name.startswith("on") for _, a in found.elements for name in a)
    assert NASTY in found.said("blockquote")
    assert NASTY in found.said("text")[0] or any("</blo" in text for text in found.said("text"))
    assert NASTY in found.said("th")
    assert found.said("dd").count(NASTY) >= 2
    assert any("<script>" in text for text in found.said("code"))


async def test_an_address_in_a_request_stays_text() -> None:
    said = row("see https://example.com/a?b=1", TRACK)
    found = await page(await graded([said]))
    assert said.text in found.said("blockquote")
    assert not any("example.com" in str(a) for _, a in found.elements)


async def test_tables_have_captions_and_headers_and_figures_have_titles() -> None:
    found = await page()
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(a.get("scope") in ("row", "col") for a in found.all("th"))
    assert len(found.said("title")) == len(found.all("svg")) + 1
    assert len(found.said("desc")) == len(found.all("svg")) == 5
    assert all(a["role"] == "img" for a in found.all("svg"))
    assert found.all("html") == [{"lang": "en"}]


async def test_the_headline_table_has_every_column_of_the_report() -> None:
    report = await graded()
    found = await page({**report, "teacher": {"free": report["adapter"]["free"]}})
    heads = found.said("th")
    for column in (
        "base model, free", "base model, constrained", "teacher, free", "adapter, free",
        "adapter, constrained", "adapter, constrained, not grounded", "adapter, at threshold",
    ):  # fmt: skip
        assert column in heads
    exact = report["adapter"]["constrained"]["exact"]
    assert f"{100 * exact['value']:.1f} %" in found.said("b")
    assert any(text.endswith(f"{exact['k']} of {exact['n']}") for text in found.said("small"))
    assert "On the same rows (exact McNemar test)" in found.text


async def test_silent_failures_that_would_be_made_stand_before_those_that_are_withheld() -> None:
    report = await graded()
    assert {item["withheld_at_threshold"] for item in report["wrong_calls"]} == {True, False}
    text = (await page(report)).text
    made = text.index("made: the confidence reaches the threshold")
    assert made < text.index("withheld at the shipped threshold")
    kept = sum(not item["withheld_at_threshold"] for item in report["wrong_calls"])
    assert f"{kept} that the shipped threshold lets through" in text
    assert 'track_order(order_id: "ORD-1234")' in text


async def test_a_fault_and_a_missed_call_are_told_in_words() -> None:
    other = {"tool": "track_order", "arguments": {"order_id": "ORD-5678"}}
    rows = [row("ORD-1234?", other), row("track 12", TRACK)]
    engine = ScriptedEngine({"ORD-1234?": TRACK})
    adapter = Adapter(Path("unread"), "0" * 64, manifest(), DESK)
    engine.loaded[adapter.version] = adapter.folder
    text = (await page(await evaluate(engine, adapter, rows, base_model=False))).text
    assert "track_order.order_id wrong" in text
    assert "1 rows that want a call and got none" in text
    assert "nothing is scripted for this request" in text


async def test_a_shade_is_always_a_number_too_and_agreement_a_word() -> None:
    report = await graded()
    found = await page(report)
    cells = [a for a in found.all("td") if "--share" in (a.get("style") or "")]
    assert cells
    agreeing = sum(a.get("class") == "same" for a in cells)
    assert found.said("span").count(" agree") == agreeing > 0
    empty = [tool for tool in DESK.by_name if tool != "track_order"]
    assert f"No row wants {', '.join(empty)}" in found.text


async def test_every_mark_stands_within_its_figure() -> None:
    text = render(await graded())
    figures = re.findall(r'<svg viewBox="0 0 (\d+) (\d+)"(.*?)</svg>', text, re.DOTALL)
    assert len(figures) == 5
    for width, height, drawn in figures:
        lines = re.findall(r'points="([^"]*)"', drawn)
        points = [tuple(map(float, p.split(","))) for line in lines for p in line.split()]
        points += [
            (float(x), float(y)) for x, y in re.findall(r'x="([\d.-]+)" c?y="([\d.-]+)"', drawn)
        ]
        assert points
        assert all(0 <= x <= int(width) and 0 <= y <= int(height) for x, y in points)


async def test_the_shipped_threshold_is_marked_and_described() -> None:
    report = await graded()
    found = await page(report)
    coverage = report["adapter"]["at_threshold"]["coverage"]["value"]
    assert any("shipped threshold 0.50" in text for text in found.said("text"))
    assert f"At the shipped threshold 0.50: coverage {100 * coverage:.3g} %" in found.text


async def test_settings_and_provenance_come_from_the_manifest_if_there_is_one() -> None:
    report = await graded()
    shown = await page(report, manifest().model_dump(mode="json"))
    assert {"settings.rank", "base_model.weights_digest", "calibration.threshold"} <= set(
        shown.said("dt")
    )
    bare = await page(report)
    assert "settings.rank" not in bare.said("dt")
    assert report["data_digest"] in bare.said("dd")


@pytest.mark.parametrize("rows", [[row("hello", NO_TOOL, "chat")], [row("lost", TRACK)]])
async def test_a_report_without_calls_or_without_no_tool_rows_is_still_a_page(
    rows: list[Row],
) -> None:
    found = await page(await graded(rows))
    assert "no rows" in found.said("small")


async def test_an_older_report_gives_a_shorter_page() -> None:
    report = json.loads(json.dumps(await graded(free=False, base_model=False)))
    for name in ("risk_coverage", "reliability", "confusion", "arguments", "missed", "cost"):
        del report[name]
    for name in ("per_tool", "per_kind", "per_voice"):
        report[name] = {
            group: {key: share[key] for key in ("value", "k", "n", "ci95")}
            for group, share in report[name].items()
        }
    for item in report["wrong_calls"]:
        del item["faults"]
    found = await page(report)
    assert len(found.all("svg")) == 3
