"""The figures of the HTML report, drawn as inline SVG from a report's values.

Built as an element tree, so that names are escaped and every figure is well-formed. Colours are
classes of the page's style sheet (`training/report.html.j2`), which knows light and dark; a line
is told from another by its dashes too. A figure has a title and a description for those who do
not see it, and the page gives its numbers in a table beside it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

_LEFT, _TOP, _WIDE, _HIGH = 56, 40, 460, 280
_NAME_CHARS = 28


class _Figure:
    """An SVG image under construction; positions are in its own units, about a pixel each."""

    def __init__(self, name: str, title: str, description: str, width: int, height: int) -> None:
        self.root = Element(
            "svg",
            {
                "viewBox": f"0 0 {width} {height}",
                "role": "img",
                "aria-labelledby": f"{name}-title {name}-text",
                "style": f"max-width:{width}px",
            },
        )
        SubElement(self.root, "title", id=f"{name}-title").text = title
        SubElement(self.root, "desc", id=f"{name}-text").text = description

    def line(self, kind: str, *points: tuple[float, float]) -> None:
        """A line through points; `kind` is its class."""
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        SubElement(self.root, "polyline", {"class": kind, "points": drawn})

    def box(self, kind: str, x: float, y: float, width: float, height: float) -> None:
        """A filled rectangle."""
        size = {"x": x, "y": y, "width": width, "height": height}
        drawn = {name: f"{value:.1f}" for name, value in size.items()}
        SubElement(self.root, "rect", {"class": kind, **drawn})

    def dot(self, kind: str, x: float, y: float) -> None:
        """A round mark."""
        place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "4"}
        SubElement(self.root, "circle", {"class": kind, **place})

    def text(self, x: float, y: float, text: str, anchor: str = "middle") -> None:
        """A label; `anchor` is the part of it that stands at the position."""
        place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
        SubElement(self.root, "text", place).text = text

    def markup(self) -> Markup:
        """The image, to stand in a page as it is."""
        return Markup(tostring(self.root, encoding="unicode"))


class _Plot(_Figure):
    """A figure with two axes: x from 0 to 1, y from 0 to `top`, both shares shown in percent."""

    def __init__(
        self, name: str, title: str, description: str, x: str, y: str, top: float = 1.0
    ) -> None:
        super().__init__(name, title, description, _LEFT + _WIDE + 24, _TOP + _HIGH + 48)
        self._top = top
        for step in range(6):
            share = step / 5
            self.line("grid", self.at(0, share * top), self.at(1, share * top))
            self.text(_LEFT - 8, self.at(0, share * top)[1] + 4, percent(share * top), "end")
            self.text(self.at(share, 0)[0], _TOP + _HIGH + 18, percent(share))
        self.line("axis", self.at(0, top), self.at(0, 0), self.at(1, 0))
        self.text(_LEFT + _WIDE / 2, _TOP + _HIGH + 38, x)
        self.text(4, 14, y, "start")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a value stands."""
        return _LEFT + x * _WIDE, _TOP + _HIGH * (1 - min(1.0, y / self._top))


def percent(share: float) -> str:
    """A share in percent with no more than three digits."""
    return f"{100 * share:.3g} %"


def risk_coverage(
    points: Sequence[Mapping[str, Any]], shipped: Mapping[str, Any], threshold: float
) -> Markup:
    """Wrong and false calls over coverage; `shipped` are the figures at the shipped threshold."""
    drawn = [point for point in points if point["coverage"] is not None]
    rates = [p[name] or 0.0 for p in drawn for name in ("wrong_call_rate", "false_call_rate")]
    coverage = shipped["coverage"]["value"]
    wrong = shipped["wrong_call_rate"]["value"]
    told = f"At the shipped threshold {threshold:.2f}"
    if coverage is not None:
        told += f": coverage {percent(coverage)}, wrong calls {percent(wrong)}."
    plot = _Plot(
        "risk", "Risk and coverage", told, "coverage: share of call rows called",
        "share of rows", _nice(max([*rates, wrong])),
    )  # fmt: skip
    for name, kind in (("wrong_call_rate", "first"), ("false_call_rate", "second")):
        values = [(p["coverage"], p[name]) for p in drawn if p[name] is not None]
        if values:
            plot.line(f"series {kind}", *(plot.at(x, y) for x, y in [(0.0, 0.0), *values]))
    for x, kind, label in ((110, "first", "wrong calls, of all rows"),
                           (318, "second", "false calls, of no_tool rows")):  # fmt: skip
        plot.line(f"series {kind}", (x, 10), (x + 24, 10))
        plot.text(x + 30, 14, label, "start")
    if coverage is not None:
        plot.line("mark", plot.at(coverage, 0), (plot.at(coverage, 0)[0], _TOP))
        plot.dot("dot", *plot.at(coverage, wrong))
        side, anchor = (6, "start") if coverage < 0.5 else (-6, "end")
        x = plot.at(coverage, 0)[0] + side
        plot.text(x, _TOP + 12, f"shipped threshold {threshold:.2f}", anchor)
    return plot.markup()


def reliability(bins: Sequence[Mapping[str, Any]], error: float | None) -> Markup:
    """Accuracy over confidence with 95 % intervals; on the diagonal they agree."""
    told = "Points on the diagonal: the confidence is the share that is right."
    if error is not None:
        told += f" Expected calibration error {error:.3f}."
    plot = _Plot("reliability", "Reliability", told, "confidence", "share of calls that are right")
    plot.line("mark", plot.at(0, 0), plot.at(1, 1))
    filled = [item for item in bins if item["n"]]
    for item in filled:
        accuracy = item["accuracy"]
        low, high = accuracy["ci95"]
        plot.line("whisker", plot.at(item["confidence"], low), plot.at(item["confidence"], high))
        plot.text(plot.at((item["low"] + item["high"]) / 2, 0)[0], _TOP - 6, f"n {item['n']}")
    means = [plot.at(item["confidence"], item["accuracy"]["value"]) for item in filled]
    if means:
        plot.line("series first", *means)
    for x, y in means:
        plot.dot("dot", x, y)
    return plot.markup()


def bars(name: str, title: str, groups: Mapping[str, Mapping[str, Any]]) -> Markup:
    """A bar a group with its 95 % interval; `groups` are `{value, k, n, ci95}` by name."""
    left, wide, step = 200, 260, 26
    figure = _Figure(
        name, title, "Bars are the share that is exact, lines its 95 % interval.",
        left + wide + 150, step * len(groups) + 8,
    )  # fmt: skip
    for number, (group, share) in enumerate(groups.items()):
        y = 4 + number * step
        figure.text(left - 8, y + 15, _short(group), "end")
        figure.box("track", left, y + 4, wide, 14)
        if share["value"] is None:
            continue
        figure.box("bar", left, y + 4, share["value"] * wide, 14)
        low, high = (left + limit * wide for limit in share["ci95"])
        figure.line("whisker", (low, y + 11), (high, y + 11))
        figure.line("whisker", (low, y + 6), (low, y + 16))
        figure.line("whisker", (high, y + 6), (high, y + 16))
        said = f"{100 * share['value']:.0f} % ({share['k']} of {share['n']})"
        figure.text(left + wide + 10, y + 15, said, "start")
    return figure.markup()


def _nice(value: float) -> float:
    """The end of an axis: at least 5 %, and five steps of whole percent."""
    return min(1.0, max(0.05, math.ceil(value * 20) / 20))


def _short(name: str) -> str:
    return name if len(name) <= _NAME_CHARS else name[: _NAME_CHARS - 1] + "…"
