"""Kiln's exports: the files of its fine-tuning page, and the task runs of a project folder.

Forms, as Kiln writes them (repository Kiln-AI/Kiln, `libs/core/kiln_ai/adapters/fine_tune/`
`dataset_formatter.py`, `vertex_formatter.py`, and `libs/core/kiln_ai/datamodel/task_run.py`):

- `openai_chat_jsonl`, `openai_chat_json_schema_jsonl`, `openai_chat_toolcall_jsonl`: OpenAI's
  form, `messages` with the tool calls of the run's trace and, in newer versions, `tools`;
- `huggingface_chat_template_jsonl`, `huggingface_chat_template_toolcall_jsonl`: the same messages
  under `conversations`, never with tools;
- `vertex_gemini`: `systemInstruction`, `contents` of `parts` (`text`, `functionCall`,
  `functionResponse`), and `tools` as `functionDeclarations` with the types in capitals;
- `task_run.kiln`, one JSON file a run: its `trace` is a list of OpenAI's messages. It names its
  tools by ids of the project alone, so the given toolset counts.

Each is brought into OpenAI's form and read by `training.imports.chat`. `task_response` is no tool
but how Kiln writes (`..._toolcall_...`) or asks for a structured answer: it is read as that text.
A run without a trace is refused, because nobody knows what it called, and so is one that people
rated low and did not repair (`HighRatingDatasetFilter` in `datamodel/dataset_filters.py`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.imports import chat
from training.imports.gate import REFUSALS, Imported, Refused
from training.imports.lines import Line, parse, read_lines
from training.members import reason_of

ANSWER = "task_response"
RUN = "task_run.kiln"
_GOOD = {"five_star": 4, "pass_fail": 1, "pass_fail_critical": 1}
_VERTEX_TYPES = frozenset({"STRING", "INTEGER", "BOOLEAN", "NUMBER", "ARRAY", "OBJECT"})


def read(path: Path) -> Iterator[Imported | Refused]:
    """Row objects from an export (`.jsonl`), a `task_run.kiln`, or a folder that holds either.

    Raises:
        OSError: a file cannot be read.
    """
    runs = sorted(path.rglob(RUN)) if path.is_dir() else [path] if path.suffix == ".kiln" else []
    for run in runs:
        yield from _rows(parse(run.read_bytes(), str(run)))
    if path.suffix != ".kiln":
        for line in read_lines(path):
            yield from _rows(line)


def _rows(line: Line | Refused) -> Iterator[Imported | Refused]:
    if isinstance(line, Refused):
        yield line
        return
    try:
        conversation = _unwrapped(_as_openai(line.value))
    except REFUSALS as exc:
        yield Refused(line.place, reason_of(exc), line.value)
        return
    yield from chat.rows_of(replace(line, value=conversation))


def _as_openai(value: dict[str, Any]) -> dict[str, Any]:
    if "messages" in value:
        return value
    if "conversations" in value:
        return {"messages": value["conversations"]}
    if "contents" in value:
        return _from_vertex(value)
    if value.get("model_type") == "task_run":
        return {"messages": _trace(value)}
    raise ValueError("none of Kiln's forms: messages, conversations, contents, or a task_run")


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """Answers that Kiln wrote as calls of `task_response`, as the texts that they are."""
    if ANSWER in {tool["function"]["name"] for tool in value.get("tools") or ()}:
        return value
    return {**value, "messages": [_answer(turn) for turn in value["messages"]]}


def _answer(turn: Mapping[str, Any]) -> Mapping[str, Any]:
    calls: list[Any] = turn.get("tool_calls") or []
    if [call["function"]["name"] for call in calls] != [ANSWER]:
        return turn
    answer = calls[0]["function"]["arguments"]
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return {"role": turn["role"], "content": text}


def _trace(run: Mapping[str, Any]) -> list[Any]:
    trace, repaired = run.get("trace"), run.get("repaired_output")
    if not trace:
        raise ValueError("the run has no trace: nobody knows which tools it called")
    if repaired:
        last = trace[-1]
        wanted = last["role"] == "assistant" and not last.get("tool_calls")
        return [*trace[:-1], {**last, "content": repaired["output"]}] if wanted else trace
    rating = run["output"].get("rating") or {}
    value, kind = rating.get("value"), rating.get("type", "five_star")
    if value is not None and kind in _GOOD and value < _GOOD[kind]:
        raise ValueError(f"the run was rated {value:g} ({kind}) and not repaired")
    return trace


def _from_vertex(value: Mapping[str, Any]) -> dict[str, Any]:
    """Vertex's form as OpenAI's; its calls carry no ids, and nothing here needs any."""
    declared = [
        {"type": "function", "function": {**tool, "parameters": _lower(tool["parameters"])}}
        for group in value.get("tools") or ()
        for tool in group["functionDeclarations"]
    ]
    told = value.get("systemInstruction")
    contents = [*([told] if told else []), *value["contents"]]
    messages = [turn for content in contents for turn in _turns(content)]
    return {"messages": messages, **({"tools": declared} if declared else {})}


def _turns(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = content["parts"]
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    for result in results:
        yield {"role": "tool", "content": result["response"]["content"]}
    if calls:
        made = [
            {"name": call["name"], "arguments": json.dumps(call.get("args") or {})}
            for call in calls
        ]
        asked = [{"id": "", "function": function} for function in made]
        yield {"role": "assistant", "tool_calls": asked}
    elif not results:
        role = "assistant" if content["role"] == "model" else content["role"]
        yield {"role": role, "content": "\n".join(part["text"] for part in parts)}


def _lower(schema: Any) -> Any:
    """A schema with its types in small letters, as JSON Schema and our tools write them."""
    if isinstance(schema, list):
        return [_lower(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.lower()
        if key == "type" and isinstance(value, str) and value in _VERTEX_TYPES
        else _lower(value)
        for key, value in schema.items()
    }
