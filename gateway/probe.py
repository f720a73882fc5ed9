"""A manifest's probes: asked of an adapter, and judged.

An adapter that fails one is neither brought into service nor published. Judged is what the router
proposes, by the rules of `gateway.score`, whatever a threshold would withhold: a probe asks
whether weights, base model and prompt belong together. `failed_probe` is pure, `failed_probes`
asks. Below stands the router; above, the swap of adapters, and publishing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import ConversationTooLong
from gateway.manifest import Adapter, Probe
from gateway.router import Router
from gateway.score import grade
from gateway.types import Call, Message, Outcome, Route


@dataclass(frozen=True, slots=True)
class FailedProbe:
    """A probe that was answered otherwise; `came` is the answer, or why it cannot be read."""

    probe: Probe
    came: str

    def __str__(self) -> str:
        return (
            f"the request {self.probe.request!r} wants {_text(self.probe.target)}, "
            f"answered was {self.came}"
        )


async def failed_probes(router: Router, adapter: Adapter) -> tuple[FailedProbe, ...]:
    """Ask every probe of an adapter that the engine has loaded; empty if it passes them all.

    A probe that does not fit the adapter's prompt fails.

    Raises:
        EngineDown, UnknownModel: the engine cannot complete a prompt.
    """
    asked = adapter.offering(None)
    found: list[FailedProbe | None] = []
    for probe in adapter.manifest.probes:
        try:
            route = await router.route([Message("user", probe.request)], asked)
        except ConversationTooLong as exc:
            route = Route(error=str(exc))
        found.append(failed_probe(probe, route))
    return tuple(failed for failed in found if failed)


def failed_probe(probe: Probe, route: Route) -> FailedProbe | None:
    """What is wrong with the answer to a probe; None if it is the wanted one."""
    outcome: Outcome = "invalid" if route.error else "no_tool" if route.is_no_tool else "call"
    if grade(_wanted(probe), outcome, route.calls).exact:
        return None
    return FailedProbe(probe, _came(route))


def _wanted(probe: Probe) -> Sequence[Call]:
    if probe.target.get("tool") == "no_tool":
        return ()
    calls = probe.target.get("calls") or [probe.target]
    return [Call(call["tool"], call["arguments"]) for call in calls]


def _came(route: Route) -> str:
    if route.error:
        return f"no readable answer ({route.error})"
    if route.is_no_tool:
        return _text({"tool": "no_tool", "reason": route.reason})
    calls = [call.as_dict() for call in route.calls]
    return _text(calls[0] if len(calls) == 1 else {"calls": calls})


def _text(answer: object) -> str:
    return json.dumps(answer, ensure_ascii=False)
