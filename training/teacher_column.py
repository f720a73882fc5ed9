"""The teacher's column of a report: a large model behind an OpenAI-compatible endpoint.

It gets the turns that the router gets (`gateway.prompt.render`, without our system message) and
the toolset as `tools`, and decides for itself whether to call. What it answers becomes a route and
passes the same checks as the base model's answers. A row that the endpoint does not answer ends
the column: a teacher graded on some of the rows could not be compared. How the endpoint is asked
stands in `training.teacher`.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from gateway.grammar import parse_answer
from gateway.prompt import openai_tools, render
from gateway.types import Route, Toolset
from training import completion
from training.evaluation.answers import Answer, Judge, Progress
from training.rows import Row
from training.teacher import Teacher, TeacherError


class TeacherFailed(ValueError):
    """The endpoint did not answer a row; the message says which and why."""


async def teacher_answers(
    teacher: Teacher, toolset: Toolset, rows: Sequence[Row], progress: Progress | None = None
) -> list[Answer]:
    """Ask the teacher for every row; answers come in the order of the rows.

    Raises:
        TeacherFailed: the endpoint cannot be reached, refuses a row, or answers in another form.
    """
    judge, tools = Judge(toolset), openai_tools(toolset)
    found: dict[int, Answer] = {}

    async def ask(number: int, row: Row) -> None:
        _, *turns = render(row.messages, toolset, "name")
        try:
            said = await teacher.ask(turns, tools=tools, tool_choice="auto", temperature=0)
        except TeacherError as exc:
            asked = f"teacher {teacher.model} at {teacher.host}, row {number}"
            raise TeacherFailed(f"{asked}: {exc.fault}") from None
        found[number] = judge.answer(row, as_route(said), said.seconds)
        if progress:
            progress(f"teacher {teacher.model}", len(found), len(rows))

    try:
        async with asyncio.TaskGroup() as group:
            for number, row in enumerate(rows, 1):
                group.create_task(ask(number, row))
    except ExceptionGroup as exc:
        raise exc.exceptions[0] from None
    return [found[number] for number in sorted(found)]


def as_route(said: completion.Answer) -> Route:
    """What the teacher said as a route: its tool calls, or else its text as no_tool's reason.

    What is neither, or a call whose arguments cannot be read, is a route with `error`.
    """
    if said.calls:
        read = _read_calls(said.calls)
        return Route(calls=read.calls, error=read.error, usage=said.usage)
    if not said.text:
        why = f" (finish reason {said.ended})" if said.ended else ""
        return Route(error=f"neither a call nor a text{why}", usage=said.usage)
    return Route(reason=said.text, usage=said.usage)


def _read_calls(calls: Sequence[completion.ToolCall]) -> Route:
    made: list[dict[str, Any]] = []
    for call in calls:
        try:
            arguments = json.loads(call.arguments.strip() or "{}")
        except (ValueError, RecursionError) as exc:
            return Route(error=f"the arguments of {call.name} are not JSON: {exc}")
        made.append({"tool": call.name, "arguments": arguments})
    # Written in our own form and read by our own parser, so that one set of bounds holds for all.
    return parse_answer(json.dumps({"calls": made}))
