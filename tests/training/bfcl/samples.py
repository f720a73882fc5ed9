"""Small BFCL data for tests, written by hand in the package's own form."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.bfcl.files import ANY_CALL, CATEGORIES, NO_CALL, Case, read_cases


def function(name: str, *required: str, **properties: Any) -> dict[str, Any]:
    """A function description; each property is its type, or its whole description."""
    described = {
        key: {"type": value, "description": key} if isinstance(value, str) else value
        for key, value in properties.items()
    }
    parameters = {"type": "dict", "properties": described, "required": list(required)}
    return {"name": name, "description": f"Do {name}.", "parameters": parameters}


WEATHER = function("weather.get", "city", city="string", days="integer")


def entry(
    name: str,
    request: str | Sequence[Mapping[str, str]] = "Weather in Rome?",
    functions: Sequence[Mapping[str, Any]] = (WEATHER,),
    truth: Sequence[Mapping[str, Any]] | None = None,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A question and its possible answer, as their lines hold them."""
    turn = [{"role": "user", "content": request}] if isinstance(request, str) else list(request)
    question = {"id": name, "question": [turn], "function": list(functions)}
    return question, None if truth is None else {"id": name, "ground_truth": list(truth)}


def rome(name: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A case that any category with calls takes."""
    return entry(name, truth=[{"weather.get": {"city": ["Rome"], "days": ["", 1]}}])


def write(
    folder: Path, cases: Mapping[str, Sequence[tuple[dict[str, Any], dict[str, Any] | None]]]
) -> Path:
    """A data folder with a file for every category, empty where none are given."""
    (folder / "possible_answer").mkdir(parents=True, exist_ok=True)
    for category in CATEGORIES:
        pairs = cases.get(category, ())
        name = f"BFCL_v4_{category}.json"
        lines = [json.dumps(question) for question, _ in pairs]
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
        if category not in NO_CALL | ANY_CALL:
            answers = [json.dumps(answer) for _, answer in pairs]
            (folder / "possible_answer" / name).write_text("\n".join(answers), encoding="utf-8")
    return folder


def one(folder: Path, category: str, pair: tuple[dict[str, Any], dict[str, Any] | None]) -> Case:
    """The case of a folder that holds no other."""
    (case,) = read_cases(write(folder, {category: [pair]}))
    return case
