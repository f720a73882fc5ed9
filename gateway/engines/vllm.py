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
import logging
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path, PurePosixPath

import httpx

from gateway.engines.base import Completion, Prompt
from gateway.engines.tokenizer import FolderTokenizer
from gateway.engines.vllm_completion import completion_body, read_completion
from gateway.engines.vllm_proof import GRAMMAR_PROOF, prove_tokens, require_grammar
from gateway.engines.vllm_server import Patience, Served, VllmServer, reason
from gateway.errors import AdapterRefused, ConversationTooLong, EngineDown, UnknownModel
from gateway.formats.base import FormatName
from gateway.formats.known import FORMATS
from gateway.manifest import prompt_spec
from gateway.tokens import prompt_ids

logger = logging.getLogger(__name__)


class VllmEngine:
    """Runs prompts on one vLLM server. `start` may be called again, and then proves it anew."""

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
        self._folders = {here.resolve(): there for here, there in (folders or {}).items()}
        self._max_queue = max_queue
        self._in_flight = 0
        self._known: tuple[FolderTokenizer, Served] | None = None
        self._loaded: set[str] = set()
        self._carried: set[FormatName] = set()

    async def start(self) -> None:
        """Wait for the server and prove that it reads and writes as training did.

        Raises:
            EngineDown: it does not become ready in time, its version is not known, it runs another
                tokenizer or chat template, or it does not follow our grammar.
        """
        self._known = None
        try:
            tokenizer = await asyncio.to_thread(FolderTokenizer, self._folder)
        except ValueError as exc:
            raise EngineDown(str(exc)) from exc
        await self._server.wait_until_healthy()
        await self._server.require_known_version()
        served = await self._server.served()
        await prove_tokens(self._server, served.base_model, tokenizer)
        try:
            require_grammar(await self._write(GRAMMAR_PROOF, tokenizer, served))
        except ConversationTooLong as exc:
            raise EngineDown(
                f"vLLM's --max-model-len {served.context_tokens} is too small"
            ) from exc
        self._loaded &= served.adapters.keys()
        self._known = (tokenizer, served)

    async def close(self) -> None:
        """Close the connections; prompts under way fail with EngineDown."""
        self._known = None
        await self._server.close()

    async def weights_digest(self) -> str | None:
        """None: a server elsewhere cannot prove its weights; the probes judge it."""
        return None

    async def load(self, version: str, folder: Path) -> None:
        """Have the server load an adapter, and wait until it is listed.

        A version that is listed already, from the folder it would be loaded from, is taken as it
        is: a version's folder never changes.
        """
        tokenizer, _ = self._ready
        await asyncio.to_thread(self._require_format_of, version, folder, tokenizer)
        there = self._as_seen(version, folder)
        served = await self._server.served()
        if version not in served.adapters:
            answer = await self._server.load(version, there)
            served = await self._listing(version, patient=answer.is_success)
            if version not in served.adapters:
                raise await self._refusal(version, there, answer)
        if served.adapters[version] != there:
            raise AdapterRefused(
                f"{version}: vLLM has loaded it from {served.adapters[version]}, not from {there}"
            )
        self._loaded.add(version)

    async def unload(self, version: str) -> None:
        """Have the server forget an adapter. A server that cannot be reached is left alone: down it
        has forgotten, and what stays loaded is found as it is by the next `load`."""
        self._loaded.discard(version)
        try:
            answer = await self._server.unload(version)
        except EngineDown as exc:
            logger.warning("adapter %s was not unloaded: %s", version, exc)
            return
        if not answer.is_success and answer.status_code != HTTPStatus.NOT_FOUND:
            logger.warning("adapter %s was not unloaded: %s", version, reason(answer))

    async def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt greedily. An adapter that vLLM has forgotten, as a restart makes it,
        is an UnknownModel until it is loaded again."""
        tokenizer, served = self._ready
        if prompt.adapter is not None and prompt.adapter not in self._loaded:
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
        ids = await asyncio.to_thread(self._ids, prompt, tokenizer, served)
        model = prompt.adapter or served.base_model
        answer = await self._server.complete(completion_body(prompt, ids, model, tokenizer))
        if answer.status_code == HTTPStatus.NOT_FOUND and prompt.adapter is not None:
            self._loaded.discard(prompt.adapter)
            raise UnknownModel(f"vLLM at {self._server.url} has forgotten adapter {prompt.adapter}")
        if not answer.is_success:
            raise EngineDown(f"vLLM answered {answer.status_code}: {reason(answer)}")
        try:
            return read_completion(answer.json(), model, tokenizer, len(ids))
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            raise EngineDown(f"vLLM's completion cannot be used: {exc}") from exc

    def _ids(self, prompt: Prompt, tokenizer: FolderTokenizer, served: Served) -> list[int]:
        try:
            if prompt.tools is not None:
                self._require("native", tokenizer)
            ids = prompt_ids(tokenizer, prompt.messages, prompt.tools)
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
        except ValueError as exc:
            raise AdapterRefused(f"{version}: {exc}") from exc

    def _as_seen(self, version: str, folder: Path) -> str:
        folder = folder.resolve()
        if not self._folders:
            return str(folder)
        for here, there in self._folders.items():
            if folder.is_relative_to(here):
                return str(PurePosixPath(there, folder.relative_to(here).as_posix()))
        seen = ", ".join(map(str, self._folders))
        raise AdapterRefused(f"{version}: vLLM does not see {folder}, only what is in {seen}")

    async def _listing(self, version: str, *, patient: bool) -> Served:
        """What the server lists; if patient, once the version is among it or patience ends."""
        served = await self._server.served()
        if not patient:
            return served
        try:
            async with asyncio.timeout(self._server.patience.load):
                while version not in served.adapters:
                    await asyncio.sleep(self._server.patience.look)
                    served = await self._server.served()
        except TimeoutError:
            logger.warning("vLLM took adapter %s but does not list it", version)
        return served

    async def _refusal(
        self, version: str, there: str, answer: httpx.Response
    ) -> AdapterRefused | EngineDown:
        if answer.is_success:
            return EngineDown(f"vLLM took adapter {version} but does not list it")
        if answer.is_server_error and (wrong := await self._server.unhealthy()):
            return EngineDown(f"vLLM failed while it loaded adapter {version}: {wrong}")
        why = reason(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            why += f"; vLLM must see {there} and run with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
        return AdapterRefused(f"{version}: vLLM does not load it: {why}")
