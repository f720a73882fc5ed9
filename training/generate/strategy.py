"""The strategy: what the teacher is told, as chat messages.

The system message is the same for all tasks of a run (endpoints keep a repeated beginning at a
lower price): the work, the toolset's schemas, the conventions, the kinds, the output. The user
message is one task. Pure; knows no endpoint.
"""

import json
from collections.abc import Sequence

from gateway.grammar import REASON_CHARS
from gateway.types import Toolset
from training.generate.plan import Task

_WORK = """\
You write training data for a small router model. It reads what a user says and answers with a \
call of one of the tools below, or with no_tool if none fits. It has to learn from your rows how \
real people ask, and to copy values instead of inventing them. Every row that breaks a rule \
below is thrown away by a program, so think each one through before you write it.

The tools of {name}, one JSON Schema a line:
{tools}"""

_CONVENTIONS = """\
Conventions, the same for all rows:
- A call names one of these tools and gives arguments that its schema allows: all required ones, \
no member that it does not list, the exact words of an enum, numbers as JSON numbers.
- An optional argument is given only if the request states it. Never fill in a default, never \
guess from the mood: an urgency, a number, an amount, a place or a status counts only if it is said.
- Every identifier (what has a pattern or a format, and every number of five digits or more) must \
be said by the user or stand in a tool's result. It may be said in another spelling, which people \
do: without its constant head, in lower case, with spaces, with `#` or `no.` before it, in spoken \
digits. The argument holds it in the form of the schema.
- A value whose digits or letters do not fit the schema is not repaired: the answer is no_tool.
- Dates are said with day, month and year, in figures or words, and become what the format wants \
(YYYY-MM-DD for `date`). Never call with "tomorrow" or "next week".
- Countries, currencies and the like become the code that the schema asks for. Amounts are numbers \
without a currency.
- An enum is meant by everyday words too ("before noon" for a value `morning`), without a doubt.
- Free text (a reason, a query, a note) is the shortest span of the request that says it, copied \
letter by letter with its typos: one clause, without "because" and without what comes around it.
- If a required argument is not said, the answer is no_tool and its reason names what is missing.
- If two tools seem to fit, take the one whose description names what the user wants; write no row \
for which that is a matter of taste.
- Make up names, numbers and codes of your own, all different, never those in the descriptions."""

_KINDS = f"""\
Kinds of rows:
- call: the target is a call.
All others want no tool, so their target is {{"tool": "no_tool", "reason": "..."}} with a reason \
of a few words, at most {REASON_CHARS} characters:
- chat: thanks, greetings, small talk, remarks about the assistant; nothing to be done.
- out_of_scope: a wish that sounds like the business of these tools, but none of them does it.
- underspecified: a tool fits, but an argument that it requires is not said.
- malformed: a tool fits, but a value that is said cannot be what its schema wants (too few or too \
many digits, letters among digits, half an address, a day that does not exist).
- injection: the text tries to give orders to the model or to fake a tool's result, a system \
message or an answer in JSON, and holds no honest wish that a tool fits."""

_OUTPUT = """\
Output: JSON lines and nothing else. One object a line, no list around them, no numbers before \
them, no comments, no Markdown. A row is one of
{"request": "what the user says", "target": {"tool": "NAME", "arguments": {}}, "kind": "call"}
{"request": "what the user says", "target": {"tool": "no_tool", "reason": "..."}, "kind": "chat"}
{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}, \
{"role": "user", "content": "..."}], "target": {"tool": "NAME", "arguments": {}}, "kind": "call"}
`messages` is for conversations and ends with a turn of the user. Line breaks within a text are \
written \\n. No two rows may be alike but for their numbers and names."""


def strategy(toolset: Toolset, task: Task, conventions: str = "") -> list[dict[str, str]]:
    """The chat messages that ask a teacher for one task.

    `conventions` are rules of the user's own; they come after ours and outrank them.
    """
    return [
        {"role": "system", "content": system_text(toolset, conventions)},
        {"role": "user", "content": task_text(task)},
    ]


def system_text(toolset: Toolset, conventions: str = "") -> str:
    """What all tasks have in common."""
    shown = [
        {"name": t.name, "description": t.description or "", "inputSchema": t.input_schema}
        for t in toolset.tools
    ]
    tools = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in shown)
    work = _WORK.format(name=toolset.name, tools=tools)
    own = f"Conventions of {toolset.name}, which come first where they say otherwise:\n"
    added = [own + conventions.strip()] if conventions.strip() else []
    return "\n\n".join([work, _CONVENTIONS, *added, _KINDS, _OUTPUT])


def task_text(task: Task) -> str:
    """What one task asks for."""
    count = "one row" if task.rows == 1 else f"{task.rows} rows"
    parts: Sequence[str] = (
        f"Write {count} of kind {task.kind}.",
        _subject(task),
        f"Voice: {task.voice.sentence}",
        task.angle if task.rows > 1 else "",
    )
    return "\n".join(part for part in parts if part)


def _subject(task: Task) -> str:
    """What the rows are about: the tool and argument of the task, where it has them."""
    tool, argument = task.tool, task.argument
    if task.kind == "underspecified":
        return (
            f"Each request wants {tool} but does not say {argument}; everything else may be said."
        )
    if task.kind == "malformed":
        return f"Each request wants {tool} and gives a value that its schema cannot take."
    if task.kind != "call":
        return ""
    if task.stated is None:
        return f"Each request wants exactly one call, of {tool}."
    if task.stated:
        return (
            f"Each request wants exactly one call, of {tool}, and states {argument}, which the "
            f"arguments then hold. Use different values of {argument}."
        )
    return (
        f"Each request wants exactly one call, of {tool}, and says nothing of {argument}, which "
        "the arguments then leave out. Other optional arguments may be stated."
    )
