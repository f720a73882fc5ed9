"""Markers in a grammar: the tokens of their own that some tokenizers have for them."""

import re
from collections.abc import Container

_RULE = re.compile(r'^(\w+): "(<[^"\\<>]+>)"$', re.MULTILINE)


def with_control_tokens(grammar: str, control: Container[str]) -> str:
    """A rule that is one marker alone stands for the token, where the tokenizer has one.

    llguidance never matches such a token with its text, and a base model that knows the token
    never writes the text.
    """
    return _RULE.sub(
        lambda rule: f"{rule[1]}: {rule[2]}" if rule[2] in control else rule[0], grammar
    )
