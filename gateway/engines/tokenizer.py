"""A base model's tokenizer and chat template, read from its folder without transformers.

An engine elsewhere is asked in token ids, and these must be the ids that training wrote. Training
reads the folder with transformers; what that does with `tokenizer.json`, `tokenizer_config.json`
and `chat_template.jinja` is repeated here with `tokenizers` and Jinja2 alone, so that a gateway
needs neither torch nor the weights. A test compares both; `vllm.py` compares with the server it
asks. Above stands `gateway.tokens`, which makes ids of messages with any `Tokenizer`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, cast

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken
from tokenizers import Tokenizer as Vocabulary

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_UNPRINTABLE = [byte for byte in range(0x100) if byte not in _PRINTABLE]
_BYTE_OF = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(0x100 + place): byte for place, byte in enumerate(_UNPRINTABLE)
}
"""How byte-level vocabularies write each byte as a character that can be printed."""


class FolderTokenizer:
    """A `gateway.tokens.Tokenizer` of one base model folder, safe to use from several threads."""

    eos_token_id: int

    def __init__(self, folder: Path) -> None:
        """Read the folder's files.

        Raises:
            ValueError: there is no tokenizer of this kind in the folder; the message names it.
        """
        try:
            self._vocabulary = Vocabulary.from_file(str(folder / "tokenizer.json"))
            config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        except Exception as exc:  # tokenizers raises nothing more specific
            raise ValueError(f"{folder} holds no tokenizer.json that can be used: {exc}") from exc
        self._named = _named_tokens(config)
        self._vocabulary.no_truncation()
        self._vocabulary.no_padding()
        self._vocabulary.add_special_tokens(
            [AddedToken(text, special=True, normalized=False) for text in _control(config)]
        )
        added = self._vocabulary.get_added_tokens_decoder()
        self._added = {number: token.content for number, token in added.items()}
        lost = sorted(_listed(config) - set(self._added.values()))
        if lost:
            raise ValueError(f"{folder}: tokenizer.json lacks {lost} of tokenizer_config.json")
        ending = self._vocabulary.token_to_id(self._named.get("eos_token", ""))
        if ending is None:
            raise ValueError(f"{folder}: tokenizer_config.json names no `eos_token`")
        self.eos_token_id = ending
        self._byte_level = '"ByteLevel"' in json.dumps(
            json.loads(self._vocabulary.to_str()).get("decoder")
        )
        self.folder = folder
        self._templates = _templates(folder, config)

    def get_added_vocab(self) -> Mapping[str, int]:
        """The tokens beside the vocabulary proper: control tokens among them."""
        return {text: number for number, text in self._added.items()}

    def apply_chat_template(self, conversation: list[dict[str, Any]], **kwargs: Any) -> str:
        """Render chat messages through the base model's template, as text whatever `tokenize` says.

        Raises:
            ValueError: there is no template, or it refuses the messages.
        """
        shown = dict.fromkeys(("tools", "documents")) | kwargs
        name = "tool_use" if shown["tools"] is not None and "tool_use" in self._templates else ""
        template = self._templates.get(name or "default")
        if template is None:
            raise ValueError(f"{self.folder} holds no chat template")
        messages = [{k: v for k, v in m.items() if v is not None} for m in conversation]
        shown.pop("tokenize", None)
        try:
            return template.render(messages=messages, **(self._named | shown))
        except (TemplateError, TypeError, LookupError, AttributeError) as exc:
            raise ValueError(f"the chat template of {self.folder} fails: {exc}") from exc

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Text -> token ids; the text of a control token becomes the token."""
        return self._vocabulary.encode(text, add_special_tokens=add_special_tokens).ids

    def decode(self, token_ids: list[int], *, skip_special_tokens: bool = False) -> str:
        """Token ids -> text."""
        return self._vocabulary.decode(token_ids, skip_special_tokens=skip_special_tokens)

    def token_bytes(self, token_id: int) -> bytes:
        """The UTF-8 bytes a token writes, which may be part of a character; none if unknown."""
        if token_id in self._added:
            return self._added[token_id].encode()
        text = self._vocabulary.id_to_token(token_id)
        if text is None:
            return b""
        if self._byte_level and all(char in _BYTE_OF for char in text):
            return bytes(_BYTE_OF[char] for char in text)
        byte = _BYTE.fullmatch(text)
        return bytes([int(byte[1], 16)]) if byte else text.replace("\u2581", " ").encode()


class _Generation(Extension):
    """`{% generation %}`, with which templates mark what an assistant says; it renders nothing."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own declaration

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def _templates(folder: Path, config: Mapping[str, Any]) -> dict[str, Template]:
    """The folder's chat templates by name; the file is the default one. Raises ValueError."""
    written = config.get("chat_template")
    texts: dict[str, str] = {}
    if isinstance(written, str):
        texts = {"default": written}
    elif isinstance(written, list):
        texts = {one["name"]: one["template"] for one in cast(list[dict[str, str]], written)}
    files = {"default": folder / "chat_template.jinja"}
    files |= {file.stem: file for file in (folder / "additional_chat_templates").glob("*.jinja")}
    texts |= {name: file.read_text("utf-8") for name, file in files.items() if file.is_file()}
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    known = cast(dict[str, Any], environment.globals)
    known.update(raise_exception=_raise_exception, strftime_now=_strftime_now)
    try:
        return {name: environment.from_string(text) for name, text in texts.items()}
    except TemplateError as exc:
        raise ValueError(f"{folder}: the chat template is broken: {exc}") from exc


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter escapes what HTML would read."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _text(token: Any) -> str | None:
    """A token as a configuration writes it: its text, or an object with its `content`."""
    found = cast(dict[str, Any], token).get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _named_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """What a template knows by name, such as `bos_token`."""
    extra = config.get("extra_special_tokens")
    values = {key: value for key, value in config.items() if key.endswith("_token")}
    values |= cast(dict[str, Any], extra) if isinstance(extra, dict) else {}
    texts = {key: _text(value) for key, value in values.items()}
    return {key: text for key, text in texts.items() if text is not None}


def _control(config: Mapping[str, Any]) -> list[str]:
    """Every token that the configuration declares special, as transformers adds them."""
    lists: list[Any] = []
    for key in ("extra_special_tokens", "additional_special_tokens"):
        if isinstance(config.get(key), list):
            lists += cast(Sequence[Any], config[key])
    named = list(_named_tokens(config).values())
    return list(dict.fromkeys([*named, *(text for text in map(_text, lists) if text)]))


def _listed(config: Mapping[str, Any]) -> set[str]:
    """The added tokens that older configurations list beside `tokenizer.json`."""
    listed = cast(dict[str, Any], config.get("added_tokens_decoder") or {})
    return {text for text in map(_text, listed.values()) if text is not None}
