"""What one run of a conformance suite came to, read from the folder that the suite wrote.

The suite makes a folder for each scenario before it runs it, and writes the checks into it after.
So a folder without checks is a scenario that broke off, and that is a failure.
"""

import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FOLDER = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")
_PROMISED = re.compile(r"^Running .* \((?P<count>\d+) scenarios\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario's checks. `faults` and `warnings` say what was missed: MUST and SHOULD."""

    checks: int
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """All scenarios of a suite by name. `unscored` ones ran, but the suite does not count them."""

    scenarios: Mapping[str, Scenario]
    unscored: Set[str] = frozenset()

    @property
    def failed(self) -> Set[str]:
        """Every scenario with a fault, scored or not."""
        return {name for name, scenario in self.scenarios.items() if scenario.faults}

    @property
    def scored(self) -> dict[str, int]:
        """How many of the scenarios that count passed and failed."""
        return self._counted(self.scenarios.keys() - self.unscored)

    @property
    def not_scored(self) -> dict[str, int]:
        """How many of the others passed and failed."""
        return self._counted(self.scenarios.keys() & self.unscored)

    def _counted(self, names: Set[str]) -> dict[str, int]:
        failed = len(names & self.failed)
        return {"passed": len(names) - failed, "failed": failed}


def read_outcome(folder: Path, said: str, unscored: Set[str]) -> Outcome:
    """Read a suite's results.

    Raises:
        ValueError: the suite `said` that it would run another number of scenarios.
    """
    scenarios: dict[str, Scenario] = {}
    for path in sorted(folder.iterdir()):
        matched = _FOLDER.fullmatch(path.name)
        if matched is not None:
            scenarios[matched["scenario"]] = _read_scenario(path / "checks.json")
    promised = _PROMISED.search(said)
    if promised is None or int(promised["count"]) != len(scenarios) or not scenarios:
        raise ValueError(f"the suite did not run whole: {len(scenarios)} scenarios\n{said[-2000:]}")
    return Outcome(scenarios, frozenset(unscored))


def _read_scenario(path: Path) -> Scenario:
    if not path.exists():
        return Scenario(0, ("it broke off",))
    checks = json.loads(path.read_text())
    counted = [check for check in checks if check["status"] in ("SUCCESS", "FAILURE")]
    return Scenario(len(counted), _told(checks, "FAILURE"), _told(checks, "WARNING"))


def _told(checks: Sequence[Mapping[str, Any]], status: str) -> tuple[str, ...]:
    found = [check for check in checks if check["status"] == status]
    return tuple(f"{check['id']}: {check.get('errorMessage') or 'failed'}" for check in found)
