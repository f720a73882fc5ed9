"""What a completion says of its own certainty: the evidence that a confidence is made of.

An answer is a chain of choices: which tool, which arguments, which values. How a reason or a
query is worded is a choice too, but one that hardly tells whether the call is right, and long
texts would drown the rest. So their tokens are counted apart; the manifest's calibration weighs
the two. Above stands the router; the engine has written the tokens.
"""

import re

from gateway.engines.base import Completion
from gateway.score import FREE_TEXT
from gateway.types import Evidence

_WORDING = re.compile(
    rf'"(?:{"|".join(sorted(FREE_TEXT))})"\s*:\s*"((?:[^"\\]|\\.)*)"'.encode(), re.DOTALL
)
"""A free-text member of a JSON object; inside of a JSON string its quotes would be escaped."""


def evidence(completion: Completion) -> Evidence:
    """The completion's log-probability in two parts; a token counts where it begins."""
    written = b"".join(token.data for token in completion.tokens)
    texts = [match.span(1) for match in _WORDING.finditer(written)]
    decided = worded = 0.0
    place = 0
    for token in completion.tokens:
        if any(start <= place < end for start, end in texts):
            worded += token.logprob
        else:
            decided += token.logprob
        place += len(token.data)
    return Evidence(decided, worded)
