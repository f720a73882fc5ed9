"""Voices: who speaks in a row, each a name and a sentence that the teacher is told.

A file of the user's own voices has a line a voice, `name: sentence`; empty lines and lines that
begin with `#` say nothing.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Voice:
    """A way of speaking; `name` is what a row carries as its voice."""

    name: str
    sentence: str


VOICES = (
    Voice("plain", "One plain, correct sentence by somebody who knows what they want."),
    Voice("terse", "Fragments of two to eight words, lower case, hardly any punctuation."),
    Voice("chatty", "Two or three friendly sentences that come to the point late."),
    Voice("story", "A short account of what happened, with details that no tool needs."),
    Voice("mail", "A short e-mail with a greeting, two to four sentences and a name below."),
    Voice("spoken", "Dictated: no punctuation, some numbers as words, a false start or two."),
    Voice("hasty", "Typed in haste on a phone: typos, missing letters, abbreviations."),
    Voice("foreign", "Simple English by somebody whose first language is another one."),
    Voice("third", "A colleague or a program that writes on behalf of the person concerned."),
    Voice(
        "turns",
        "A conversation in `messages` with two or three turns of the user: the first leaves "
        "something open, the assistant asks for it in one sentence, the user goes on.",
    ),
)


def read_voices(file: Path) -> tuple[Voice, ...]:
    """The voices of a file, in its order.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is no voice, a name stands twice, or there are none; the message names
            the file and the line.
    """
    found: dict[str, Voice] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, sentence = (part.strip() for part in line.partition(":"))
        if not colon or not name or not sentence:
            raise ValueError(f"{file}:{number}: a voice is a line `name: sentence`")
        if name in found:
            raise ValueError(f"{file}:{number}: there is a voice {name!r} already")
        found[name] = Voice(name, sentence)
    if not found:
        raise ValueError(f"{file}: no voices")
    return tuple(found.values())
