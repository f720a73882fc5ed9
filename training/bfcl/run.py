"""Ask an engine BFCL's questions, each with its own tools, and judge the answers.

Prompt, grammar and parser are those of serving; only the tools are the case's own, as they were
for an adapter that was trained on rows with tools of their own (`varied`). What the model proposes
is judged by the benchmark's rules alone: no grounding, no threshold.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.engines.base import Engine, Prompt
from gateway.errors import ConversationTooLong
from gateway.formats.base import FormatName, Language
from gateway.formats.known import FORMATS
from gateway.manifest import Adapter, PromptSpec
from gateway.prompt import PromptForm
from gateway.types import Route
from gateway.validate import ToolValidator
from training.bfcl.files import ANY_CALL, NO_CALL, Case
from training.bfcl.matching import Mismatch, calls_mismatch, relevance_mismatch
from training.bfcl.score import Result, scores

BASE_SPEC = PromptSpec(form="schemas", max_prompt_tokens=8_000, max_answer_tokens=512)
"""How the base model alone is asked: every schema shown, room for eight calls."""
_SHOWN = 50
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Answer:
    """One case's answer; the route's calls carry our names. `seconds` is the engine's time.

    `too_long`: the prompt did not fit and nothing was asked, which counts as unreadable.
    """

    case: Case
    route: Route
    seconds: float
    too_long: bool = False

    @property
    def result(self) -> Result:
        """How it counts."""
        return Result(
            self.case.category, judge(self.case, self.route), valid(self.case, self.route)
        )


async def evaluate_bfcl(
    engine: Engine,
    adapter: Adapter | None,
    cases: Sequence[Case],
    *,
    form: PromptForm | None = None,
    base_format: FormatName = "json",
    constrained: bool = True,
    held_out: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The report of an adapter (loaded in the engine), or of the base model, on cases.

    Beside the figures it lists the first 50 wrong answers. `form` overrides how the tools are
    shown, which is the adapter's own form or else `schemas`; the base model alone is asked in
    `base_format`, an adapter in its own. `held_out` says that the cases were picked by their
    tools, which leaves the leaderboard's sums out.

    Raises:
        ValueError: no cases, or the form shows no tools or is not one of the format's.
        EngineDown, UnknownModel: the engine cannot complete a prompt.
    """
    spec = prompt_spec(adapter, form, base_format)
    version = adapter.version if adapter else None
    found: list[Answer] = []
    for number, case in enumerate(cases, 1):
        found.append(await ask(engine, version, spec, case, constrained=constrained))
        if progress:
            progress(version or "base model", number, len(cases))
    results = [answer.result for answer in found]
    mismatches = zip(found, (result.mismatch for result in results), strict=True)
    return {
        "benchmark": "BFCL v4, single turn, Python",
        "system": version or "base model",
        "format": spec.format,
        "form": spec.form,
        "constrained": constrained,
        "cases": len(cases),
        **scores(results, held_out=held_out),
        "too_long": sum(answer.too_long for answer in found),
        "seconds_mean": round(statistics.mean(answer.seconds for answer in found), 3),
        "prompt_tokens_mean": statistics.mean(a.route.usage.prompt_tokens for a in found),
        "wrong": [_shown(answer, mismatch) for answer, mismatch in mismatches if mismatch][:_SHOWN],
    }


def prompt_spec(
    adapter: Adapter | None, form: PromptForm | None, base_format: FormatName = "json"
) -> PromptSpec:
    """How cases are shown.

    Raises:
        ValueError: the form is `name`, which shows no tools, or not one of the format's.
    """
    own = BASE_SPEC.model_copy(update={"format": base_format})
    spec = adapter.manifest.prompt if adapter else own
    if form is not None:
        spec = spec.model_copy(update={"form": form})
    who, known = adapter.version if adapter else "the base model", FORMATS[spec.format].forms
    if spec.form == "name":
        raise ValueError(
            f"{who} would be shown no tools in the form `name`; an adapter that learned one "
            "toolset by heart cannot be asked about others"
        )
    if spec.form not in known:
        raise ValueError(
            f"{who} is asked in the format {spec.format}, which shows {', '.join(known)}"
        )
    return spec


async def ask(
    engine: Engine, version: str | None, spec: PromptSpec, case: Case, *, constrained: bool
) -> Answer:
    """Ask one case. Without tools there is nothing to call and nothing is asked.

    Raises:
        EngineDown, UnknownModel: the engine cannot complete the prompt.
    """
    toolset = case.offer.toolset
    if not toolset.tools:
        return Answer(case, Route(reason="there are no tools"), 0.0)
    format = FORMATS[spec.format]
    asked = format.ask(case.messages, toolset, spec.form)
    language = format.language(toolset) if constrained else Language()
    prompt = Prompt(
        messages=asked.messages,
        adapter=version,
        schema=language.schema,
        max_prompt_tokens=spec.max_prompt_tokens,
        max_answer_tokens=spec.max_answer_tokens,
        tools=asked.tools,
        grammar=language.grammar,
    )
    started = time.perf_counter()
    try:
        completion = await engine.complete(prompt)
    except ConversationTooLong as exc:
        return Answer(case, Route(error=str(exc)), 0.0, too_long=True)
    seconds = time.perf_counter() - started
    return Answer(case, replace(format.parse(completion.text), usage=completion.usage), seconds)


def judge(case: Case, route: Route) -> Mismatch | None:
    """The benchmark's verdict: None if the answer is right.

    An unreadable answer calls nothing, which is right where nothing is to be called.
    """
    calls = [case.offer.in_original(call) for call in route.calls]
    if case.category in NO_CALL | ANY_CALL:
        return relevance_mismatch(calls, wanted=case.category in ANY_CALL)
    if route.error is not None:
        return Mismatch("unreadable", route.error)
    return calls_mismatch(case.functions, case.expected, calls)


def valid(case: Case, route: Route) -> bool:
    """Whether the answer can be read and the schemas of the tools on offer allow its calls."""
    tools = case.offer.toolset.by_name
    return route.error is None and all(
        call.tool in tools and not ToolValidator(tools[call.tool]).errors(call.arguments)
        for call in route.calls
    )


def _shown(answer: Answer, mismatch: Mismatch) -> dict[str, Any]:
    """A wrong answer for a person to read, in BFCL's names."""
    case = answer.case
    return {
        "id": case.id,
        "request": case.messages[-1].content,
        "expected": [{call.tool: dict(call.arguments)} for call in case.expected],
        "called": [case.offer.in_original(call).as_dict() for call in answer.route.calls],
        "mismatch": str(mismatch),
    }
