"""A vLLM server is served only after it has proved that it reads and writes as training did."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway.errors import EngineDown
from tests.gateway.engines.tokenizer_folder import HERMES, PLAIN, write_tokenizer
from tests.gateway.engines.vllm_double import QUICK, VllmDouble, error

MARKERS = ("<tool_call>", "</tool_call>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tokenizer(tmp_path / "base", HERMES, markers=MARKERS)


@pytest.mark.parametrize("version", ["0.26.0", "0.29.1rc1", "0.32.0+cpu", "0.32.1.dev7+g1a2b3c"])
async def test_a_server_of_a_known_version_starts_again_and_again(
    folder: Path, version: str
) -> None:
    vllm = VllmDouble(folder)
    vllm.version = version
    engine = vllm.engine(folder)
    await engine.start()
    await engine.start()
    asked = [path for path, _ in vllm.asked]
    assert asked[:3] == ["/health", "/version", "/v1/models"]
    assert len(asked) % 2 == 0
    assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]


@pytest.mark.parametrize("version", ["0.25.1", "0.33.0", "1.0.0", "dev"])
async def test_a_server_of_another_version_is_refused(folder: Path, version: str) -> None:
    vllm = VllmDouble(folder)
    vllm.version = version
    with pytest.raises(EngineDown, match=rf"runs vLLM {version}; this gateway knows 0.26 to 0.32"):
        await vllm.engine(folder).start()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.ConnectError("refused"), "cannot be reached: refused"),
        (httpx.Response(503), "is not well: /health answers 503"),
    ],
)
async def test_a_server_that_is_not_up_is_given_up_with_the_reason(
    folder: Path, answer: httpx.Response | Exception, message: str
) -> None:
    vllm = VllmDouble(folder)
    vllm.instead["/health"] = answer
    with pytest.raises(EngineDown, match=message):
        await vllm.engine(folder, QUICK).start()


async def test_a_server_that_hangs_is_given_up(folder: Path) -> None:
    vllm = VllmDouble(folder)
    vllm.hangs.add("/health")
    with pytest.raises(EngineDown, match="did not answer in time"):
        await vllm.engine(folder, QUICK).start()


@pytest.mark.parametrize(
    ("path", "answer", "message"),
    [
        ("/version", httpx.Response(404, json={"detail": "Not Found"}), "/version with 404"),
        ("/version", httpx.Response(200, text="<html>"), "/version with 200: <html>"),
        ("/v1/models", httpx.Response(200, json={"data": []}), "lists no base model"),
        ("/v1/models", httpx.Response(200, json={"data": [{"id": "x"}]}), "lists no base model"),
        ("/tokenize", error(501, "no tokenizer"), "/tokenize with 501: no tokenizer"),
        ("/v1/completions", error(400, "Grammar error"), "400: Grammar error"),
    ],
)
async def test_a_server_that_is_no_vllm_or_lacks_a_part_is_refused_naming_it(
    folder: Path, path: str, answer: httpx.Response, message: str
) -> None:
    vllm = VllmDouble(folder)
    vllm.instead[path] = answer
    with pytest.raises(EngineDown, match=message):
        await vllm.engine(folder).start()


async def test_a_server_with_a_key_wants_it(folder: Path) -> None:
    vllm = VllmDouble(folder)
    vllm.api_key = "k3y"
    await vllm.engine(folder, api_key="k3y").start()
    with pytest.raises(EngineDown, match="401: Unauthorized") as refused:
        await vllm.engine(folder, api_key="wrong").start()
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda at: write_tokenizer(at, HERMES), "another tokenizer than"),
        (lambda at: write_tokenizer(at, PLAIN, markers=MARKERS), "another chat template than"),
        (lambda at: write_tokenizer(at, HERMES.replace("# Tools", "# Tool"), markers=MARKERS),
         "another chat template than"),
    ],
)  # fmt: skip
async def test_a_server_with_another_tokenizer_or_template_is_refused(
    tmp_path: Path, folder: Path, other: Callable[[Path], Path], message: str
) -> None:
    vllm = VllmDouble(other(tmp_path / "other"))
    with pytest.raises(EngineDown, match=message):
        await vllm.engine(folder).start()


async def test_a_server_whose_grammar_or_log_probabilities_are_not_ours_is_refused(
    folder: Path,
) -> None:
    vllm = VllmDouble(folder)
    vllm.backend = "xgrammar"
    with pytest.raises(EngineDown, match=r"it wrote '\{\"a\":1,.*\"backend\": \"guidance\""):
        await vllm.engine(folder).start()
    vllm.backend, vllm.raw_logprobs = "guidance", True
    with pytest.raises(EngineDown, match="without --logprobs-mode"):
        await vllm.engine(folder).start()


async def test_a_server_without_room_for_a_prompt_is_refused(folder: Path) -> None:
    with pytest.raises(EngineDown, match="--max-model-len 64 is too small"):
        await VllmDouble(folder, context=64).engine(folder).start()


async def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EngineDown, match=r"empty holds no tokenizer\.json"):
        await VllmDouble(folder).engine(tmp_path / "empty").start()
