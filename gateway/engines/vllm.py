"""One vLLM server as an engine: adapters loaded at run time, answers held by the same grammar.

What is asked equals, token for token, what training rendered: the prompt is made here by
`gateway.tokens.prompt_ids`, the function that training calls, with the base model's own tokenizer,
and goes to `/v1/completions` as token ids. vLLM's chat endpoint would need no tokenizer here, but
it puts contents into the template as they come and then reads every control token in the text, so
that a request holding `<|im_end|>` would end its own turn; and a prompt's length would be known
only after it was computed. That the ids mean to vLLM what they mean here is proved at every start
(`vllm_proof.py`).

vLLM must run with `--enable-lora`, `--structured-outputs-config '{"backend": "guidance"}'` and
VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, without `--chat-template` and `--reasoning-parser`. It
decodes forced text token by token instead of feeding it at once, so that a token there may cost a
little probability where the tokenizer knows other ways to write the same text; otherwise answers
are those of `LocalEngine`, but for the last bits of arithmetic.
"""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import httpx

from gateway.engines.base import Completion, Prompt, Proof, ReplicaStatus
from gateway.engines.tokenizer import FolderTokenizer
from gateway.engines.vllm_adapters import VllmAdapters
from gateway.engines.vllm_completion import completion_body, read_completion
from gateway.engines.vllm_proof import GRAMMAR_PROOF, prove_tokens, require_grammar
from gateway.engines.vllm_server import Patience, Served, ServerFailed, VllmServer, reason
from gateway.errors import AdapterRefused, ConversationTooLong, EngineDown, UnknownModel
from gateway.formats.base import FormatName
from gateway.formats.known import FORMATS
from gateway.manifest import prompt_spec
from gateway.tokens import prompt_ids

_SHORT = 4_000
"""Characters that become tokens in two milliseconds: on a busy processor a thread waits longer."""
_SHUT_OUT = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class VllmEngine:
    """Runs prompts on one vLLM server. It does what it is told, once: `gateway.engines.replica`
    stands above, tries again, and brings back what a restart has lost."""

    def __init__(
        self,
        url: str,
        base_model: Path,
        *,
        folders: Mapping[Path, str] | None = None,
        api_key: str | None = None,
        max_queue: int = 64,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Of `base_model` only tokenizer and chat template are read. `folders` says under which
        path vLLM sees a folder of this machine; without it, vLLM sees the same paths."""
        self._server = VllmServer(
            url, api_key=api_key, connections=max_queue + 8, patience=patience, transport=transport
        )
        self._folder = base_model
        self._adapters = VllmAdapters(self._server, folders or {})
        self._max_queue = max_queue
        self._in_flight = 0
        self._tokenizer: FolderTokenizer | None = None
        self._known: tuple[FolderTokenizer, Served] | None = None
        self._carried: set[FormatName] = set()

    @property
    def url(self) -> str:
        """Where the server is, without a password."""
        return self._server.url

    @property
    def in_flight(self) -> int:
        """How many prompts are under way."""
        return self._in_flight

    @property
    def status(self) -> Sequence[ReplicaStatus]:
        """What it was told and saw last; the server is not asked."""
        state = "ready" if self._known else "starting"
        return (
            ReplicaStatus(self.url, state, self._in_flight, tuple(self._adapters.loaded), None),
        )

    @property
    def served(self) -> Served | None:
        """What the server listed at the last start that succeeded, None before it."""
        return self._known[1] if self._known else None

    async def prepare(self) -> FolderTokenizer:
        """Read tokenizer and chat template, once. Raises EngineDown if the folder holds none."""
        if self._tokenizer is None:
            try:
                self._tokenizer = await asyncio.to_thread(FolderTokenizer, self._folder)
            except ValueError as exc:
                raise EngineDown(str(exc)) from exc
        return self._tokenizer

    async def start(self) -> None:
        """Prove that the server, which must be up, reads and writes as training did.

        May be called again, and then proves it anew.

        Raises:
            EngineDown: it is not up, its version is not known, it runs another tokenizer or chat
                template, or it does not follow our grammar.
        """
        self._known = None
        tokenizer = await self.prepare()
        await self._server.require_healthy()
        await self._server.require_known_version()
        served = await self._server.served()
        await prove_tokens(self._server, served.base_model, tokenizer)
        try:
            require_grammar(await self._write(GRAMMAR_PROOF, tokenizer, served))
        except ConversationTooLong as exc:
            raise EngineDown(
                f"vLLM's --max-model-len {served.context_tokens} is too small"
            ) from exc
        self._known = (tokenizer, served)

    async def look(self, *, thoroughly: bool = False) -> frozenset[str]:
        """Which of the versions loaded here the server still lists.

        Raises:
            EngineDown: it is not up, lists another base model than at the start, or, if looked at
                thoroughly, does not complete a prompt under our grammar.
        """
        tokenizer, known = self._ready
        await self._server.require_healthy()
        served = await self._server.served()
        if (served.base_model, served.context_tokens) != (known.base_model, known.context_tokens):
            raise EngineDown(f"vLLM at {self.url} was restarted with other settings")
        if thoroughly:
            require_grammar(await self._write(GRAMMAR_PROOF, tokenizer, served))
        return self._adapters.held(served)

    async def close(self) -> None:
        """Close the connections; prompts under way fail with EngineDown."""
        self._known = None
        await self._server.close()

    async def weights_digest(self) -> str | None:
        """None: a server elsewhere cannot prove its weights; the probes judge it."""
        return None

    async def check(self, version: str, folder: Path) -> None:
        """Find what is wrong with an adapter without asking the server.

        Raises:
            AdapterRefused: the server does not see the folder, or the base model's chat template
                cannot carry the adapter's format.
            EngineDown: the base model's folder holds no tokenizer.
        """
        tokenizer = await self.prepare()
        await asyncio.to_thread(self._require_format_of, version, folder, tokenizer)
        self._adapters.as_seen(version, folder)

    async def load(self, version: str, folder: Path, proof: Proof | None = None) -> None:
        """Have the server load an adapter, and wait until it is listed."""
        _ = self._ready
        await self.check(version, folder)
        await self._adapters.load(version, folder)
        if proof is not None:
            await proof(self)

    async def unload(self, version: str) -> None:
        """Have the server forget an adapter. A server that cannot be reached is left alone."""
        await self._adapters.unload(version)

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt greedily.

        Raises:
            ServerFailed: the fault is the server's, not the prompt's. One that has forgotten the
                adapter, as a restart makes it, is among these until it is loaded again.
            ConversationTooLong, UnknownModel, EngineDown: as every engine.
        """
        tokenizer, served = self._ready
        if prompt.adapter is not None and prompt.adapter not in self._adapters.loaded:
            raise UnknownModel(f"adapter {prompt.adapter} is not loaded")
        if self._in_flight >= self._max_queue:
            raise EngineDown(f"{self._in_flight} prompts wait for the engine already")
        self._in_flight += 1
        try:
            return await self._write(prompt, tokenizer, served)
        finally:
            self._in_flight -= 1

    @property
    def _ready(self) -> tuple[FolderTokenizer, Served]:
        if self._known is None:
            raise EngineDown("the engine is not started")
        return self._known

    async def _write(
        self, prompt: Prompt, tokenizer: FolderTokenizer, served: Served
    ) -> Completion:
        ids = await self._ids(prompt, tokenizer, served)
        model = prompt.adapter or served.base_model
        answer = await self._server.complete(completion_body(prompt, ids, model, tokenizer))
        if not answer.is_success:
            raise self._failure(answer, model)
        try:
            return read_completion(answer.json(), model, tokenizer, len(ids))
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            message = f"the completion of vLLM at {self.url} cannot be used: {exc}"
            raise ServerFailed(message, answers=True) from exc

    def _failure(self, answer: httpx.Response, model: str) -> EngineDown:
        message = f"vLLM at {self.url} answered {answer.status_code}: {reason(answer)}"
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return ServerFailed(f"vLLM at {self.url} has forgotten {model}: {reason(answer)}")
        if answer.is_server_error or answer.status_code in _SHUT_OUT:
            return ServerFailed(message, answers=True)
        return EngineDown(message)

    async def _ids(self, prompt: Prompt, tokenizer: FolderTokenizer, served: Served) -> list[int]:
        try:
            if prompt.tools is not None:
                self._require("native", tokenizer)
            asked = tokenizer, prompt.messages, prompt.tools
            size = sum(len(str(turn.get("content"))) for turn in prompt.messages)
            if prompt.tools is None and size <= _SHORT:
                ids = prompt_ids(*asked)
            else:
                ids = await asyncio.to_thread(prompt_ids, *asked)
        except (TypeError, ValueError) as exc:
            raise EngineDown(f"the prompt cannot be written: {exc}") from exc
        limit = min(prompt.max_prompt_tokens, served.context_tokens - prompt.max_answer_tokens)
        if len(ids) > limit:
            raise ConversationTooLong(
                f"the conversation has {len(ids)} tokens, at most {max(limit, 0)} fit"
            )
        return ids

    def _require(self, name: FormatName, tokenizer: FolderTokenizer) -> None:
        """Raises FormatRefused if the base model's chat template cannot carry a format."""
        if name not in self._carried:
            FORMATS[name].writer(tokenizer)
            self._carried.add(name)

    def _require_format_of(self, version: str, folder: Path, tokenizer: FolderTokenizer) -> None:
        try:
            self._require(prompt_spec(folder).format, tokenizer)
        except (ValueError, OSError) as exc:
            raise AdapterRefused(f"{version}: {exc}") from exc
