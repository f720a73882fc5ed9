"""BFCL's data files: found, read and checked; nothing of the `bfcl-eval` package is imported.

A folder holds `BFCL_v4_<category>.json`, a case a line: `{"id", "question", "function"}`, and
under `possible_answer` files of the same names: `{"id", "ground_truth"}`. `question` is a list of
turns of which a single-turn case has one, itself a list of messages.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from gateway.files import numbered_lines
from gateway.fingerprint import digest
from gateway.types import Message, Role
from training.bfcl.dialect import DialectError, Offer, offer
from training.bfcl.matching import Expected

PACKAGE = "bfcl-eval"
NON_LIVE = ("simple_python", "multiple", "parallel", "parallel_multiple", "irrelevance")
LIVE = (
    "live_simple", "live_multiple", "live_parallel", "live_parallel_multiple", "live_irrelevance",
    "live_relevance",
)  # fmt: skip
CATEGORIES = NON_LIVE + LIVE
"""The single-turn categories over Python, by their names in the files."""
NO_CALL = frozenset({"irrelevance", "live_irrelevance"})
ANY_CALL = frozenset({"live_relevance"})
_T = TypeVar("_T")


class BfclError(ValueError):
    """Data that cannot be used; the message names file and line where there are any."""


@dataclass(frozen=True)
class Case:
    """One question. `functions` are in BFCL's dialect, `offer` holds them as MCP tools.

    `expected` is empty for the categories that list no calls. `place` is its file and line.
    """

    id: str
    category: str
    messages: tuple[Message, ...]
    functions: tuple[Mapping[str, Any], ...]
    expected: tuple[Expected, ...]
    offer: Offer = field(compare=False)
    place: str = field(default="", compare=False)

    @property
    def tool_names(self) -> tuple[str, ...]:
        """BFCL's names of the tools on offer."""
        return tuple(self.offer.original.values())


@dataclass(frozen=True)
class Broken:
    """A line that is no case or no answer: where, why, and its text."""

    place: str
    reason: str
    raw: str


def installed_data() -> tuple[Path, str]:
    """The data folder of the installed package, and the package's version.

    Raises:
        BfclError: the package is not installed, or lies where its files cannot be read.
    """
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        raise BfclError(
            f"{PACKAGE} is not installed: pip install --no-deps {PACKAGE}, or name a folder"
        ) from None
    folder = Path(str(found.locate_file("bfcl_eval/data")))
    if not folder.is_dir():
        raise BfclError(f"{folder}: the data of {PACKAGE} {found.version} is not there")
    return folder, found.version


def question_file(folder: Path, category: str) -> Path:
    """Where a category's cases stand."""
    return folder / f"BFCL_v4_{category}.json"


def read_cases(folder: Path, categories: Sequence[str] = CATEGORIES) -> list[Case]:
    """All cases of some categories, in the order of the files.

    Raises:
        BfclError: a category is unknown or its file missing, or a line is broken.
    """
    cases: list[Case] = []
    for category in categories:
        read, broken = read_category(folder, category)
        if broken:
            raise BfclError(f"{broken[0].place}: {broken[0].reason}")
        cases += read
    return cases


def read_category(folder: Path, category: str) -> tuple[list[Case], list[Broken]]:
    """A category's cases, and apart from them the lines that are none.

    Raises:
        BfclError: the category is unknown or a file cannot be read.
    """
    if category not in CATEGORIES:
        raise BfclError(f"unknown category {category!r}; known are {', '.join(CATEGORIES)}")
    file, broken = question_file(folder, category), list[Broken]()
    expected: dict[str, tuple[Expected, ...]] = {}
    if category not in NO_CALL | ANY_CALL:
        expected = dict(_parsed(folder / "possible_answer" / file.name, _answer, broken))

    def case(value: Mapping[str, Any], place: str) -> Case:
        return _case(value, category, expected, place)

    return _parsed(file, case, broken), broken


def cases_digest(cases: Sequence[Case]) -> str:
    """sha256 over what the cases ask and accept, in their order."""
    return digest(
        [
            {
                "id": case.id,
                "question": [[turn.role, turn.content] for turn in case.messages],
                "function": case.functions,
                "ground_truth": [[call.tool, call.arguments] for call in case.expected],
            }
            for case in cases
        ]
    )


def _parsed(
    file: Path, parse: Callable[[Mapping[str, Any], str], _T], broken: list[Broken]
) -> list[_T]:
    """What `parse` makes of each line; the lines it refuses are added to `broken`."""
    try:
        lines = numbered_lines(file)
    except OSError as exc:
        raise BfclError(f"{file}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BfclError(f"{file}: {exc}") from exc
    found: list[_T] = []
    for number, line in lines:
        try:
            found.append(parse(_object(json.loads(line)), f"{file}:{number}"))
        except KeyError as exc:
            broken.append(Broken(f"{file}:{number}", f"no member {exc}", line))
        except (ValueError, TypeError) as exc:
            broken.append(Broken(f"{file}:{number}", str(exc), line))
    return found


def _case(
    value: Mapping[str, Any],
    category: str,
    expected: Mapping[str, tuple[Expected, ...]],
    place: str,
) -> Case:
    name, turns = str(value["id"]), _list(value["question"], "question")
    if len(turns) != 1:
        raise BfclError(f"{name} has {len(turns)} turns, a single-turn case has one")
    functions = tuple(_object(item) for item in _list(value["function"], "function"))
    made = offer(functions)
    wanted = expected.get(name, ())
    if category not in NO_CALL | ANY_CALL and not wanted:
        raise BfclError(f"{name} has no possible answer")
    for call in wanted:
        if call.tool not in made.original.values():
            raise DialectError(f"{name}: the expected tool {call.tool!r} is not on offer")
    return Case(name, category, _messages(turns[0]), functions, wanted, made, place)


def _answer(value: Mapping[str, Any], place: str) -> tuple[str, tuple[Expected, ...]]:
    calls: list[Expected] = []
    for item in _list(value["ground_truth"], "ground_truth"):
        pairs = list(_object(item).items())
        if len(pairs) != 1:
            raise BfclError(f"an expected call names one tool, this one {len(pairs)}")
        tool, arguments = pairs[0]
        accepted = {name: _list(values, name) for name, values in _object(arguments).items()}
        calls.append(Expected(tool, accepted))
    return str(value["id"]), tuple(calls)


def _messages(listed: Any) -> tuple[Message, ...]:
    """The turns. What the system says stands before the user's first words.

    No prompt of ours carries a foreign system message, and some hold facts: the date, for one.
    """
    turns = [_object(turn) for turn in _list(listed, "question")]
    made = [Message(turn["role"], str(turn["content"])) for turn in turns]
    if any(turn.role not in get_args(Role) for turn in made):
        raise BfclError("a message needs a role of system, user, assistant or tool")
    system = [turn.content.strip() for turn in made if turn.role == "system"]
    said = [turn for turn in made if turn.role != "system"]
    first = next((index for index, turn in enumerate(said) if turn.role == "user"), None)
    if first is None:
        raise BfclError("nobody asks anything")
    said[first] = Message("user", "\n\n".join([*system, said[first].content]))
    return tuple(said)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BfclError("a JSON object was expected")
    return cast(dict[str, Any], value)


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BfclError(f"{name} must be a list")
    return cast(list[Any], value)
