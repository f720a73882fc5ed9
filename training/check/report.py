"""What a check found: findings with their places, and figures. Values only, no printing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]
_SHOWN_CHARS = 90


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or doubtful.

    `rule` names the kind of finding, `detail` says it in words, `places` are the rows (file:line)
    it is about; a finding about a whole split has none.
    """

    severity: Severity
    rule: str
    detail: str
    places: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as `--json` shows it."""
        return {"rule": self.rule, "detail": self.detail, "places": list(self.places)}


@dataclass(frozen=True)
class CheckReport:
    """The result of a check: nothing may be trained on rows with errors, warnings are to be read.

    `figures` maps names to counts, shares (0 to 1) and token lengths; see `training.check.counts`
    and `training.check.lengths`.
    """

    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    figures: Mapping[str, Any]

    @classmethod
    def of(cls, findings: Iterable[Finding], figures: Mapping[str, Any]) -> "CheckReport":
        """Sort findings into errors and warnings, and count them by rule into the figures."""
        found = list(findings)
        counts = Counter(finding.rule for finding in found)
        return cls(
            tuple(finding for finding in found if finding.severity == "error"),
            tuple(finding for finding in found if finding.severity == "warning"),
            {**figures, "findings": dict(sorted(counts.items()))},
        )

    def to_json(self) -> dict[str, Any]:
        """The one document of `--json`."""
        return {
            "errors": [finding.to_json() for finding in self.errors],
            "warnings": [finding.to_json() for finding in self.warnings],
            "figures": dict(self.figures),
        }


def listed(findings: Iterable[Finding], most: int = 3) -> Iterator[str]:
    """A line a finding, the first `most` of each rule, and how many more the rule found."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    for rule, found in by_rule.items():
        for finding in found[:most]:
            places = f" ({', '.join(finding.places[:most])})" if finding.places else ""
            yield f"{rule}: {finding.detail}{places}"
        if len(found) > most:
            yield f"{rule}: and {len(found) - most} more"


def shown(text: str) -> str:
    """A row's text on one line, quoted and cut."""
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…")
