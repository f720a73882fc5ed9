"""How far a run's folder is, and what it has cost. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.types import Usage

_MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """What the teacher costs per million tokens, in any one currency."""

    prompt: float
    completion: float

    def cost(self, usage: Usage) -> float:
        """The price of these tokens."""
        spent = usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion
        return spent / _MILLION


@dataclass(frozen=True)
class Summary:
    """How far a folder is, earlier runs included.

    Of `tasks`, `done` have been answered and `failed` were asked for in vain. `rejected` counts by
    code: those of `training.generate.gate`, `no_rows` for answers that hold none, and `no_answer`
    for tasks that the teacher refuses. `cost` is in the currency of the prices, None without them.
    """

    tasks: int
    done: int
    failed: int
    rows: int
    rejected: Mapping[str, int]
    usage: Usage
    cost: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "tasks": self.tasks,
            "done": self.done,
            "failed": self.failed,
            "rows": self.rows,
            "rejected": dict(self.rejected),
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
            "cost": None if self.cost is None else round(self.cost, 6),
        }
