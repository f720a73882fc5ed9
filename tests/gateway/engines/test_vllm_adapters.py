"""Adapters on one vLLM server: loaded, listed, refused, forgotten."""

import logging
from pathlib import Path

import httpx
import pytest

from gateway.engines.base import Prompt
from gateway.engines.vllm import VllmEngine
from gateway.engines.vllm_server import Patience, ServerFailed
from gateway.errors import AdapterRefused, EngineDown, UnknownModel
from tests.adapters import write_adapter
from tests.gateway.engines.vllm_double import QUICK, VllmDouble, error

LOAD, UNLOAD, MODELS = "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/v1/models"
ASKED = Prompt(({"role": "user", "content": "hi"},), "support@1", None, 512, 8)


async def started(
    vllm: VllmDouble, folder: Path, patience: Patience | None = None, **folders: str
) -> VllmEngine:
    seen = {folder.parent / here: there for here, there in folders.items()}
    engine = vllm.engine(folder, patience, folders=seen)
    await engine.start()
    vllm.asked.clear()
    return engine


async def test_an_adapter_is_loaded_under_its_version_asked_by_it_and_forgotten(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    await engine.load("support@1", adapter)
    assert vllm.bodies(LOAD) == [{"lora_name": "support@1", "lora_path": str(adapter)}]
    vllm.wants = "hello"
    assert (await engine.complete(ASKED)).text == "hello"
    assert vllm.bodies("/v1/completions")[-1]["model"] == "support@1"
    await engine.unload("support@1")
    assert vllm.bodies(UNLOAD) == [{"lora_name": "support@1"}]
    assert vllm.adapters == {}
    with pytest.raises(UnknownModel, match="support@1 is not loaded"):
        await engine.complete(ASKED)


async def test_vllm_is_told_the_folder_as_it_sees_it_and_asked_for_no_other(
    vllm: VllmDouble, folder: Path, adapter: Path, tmp_path: Path
) -> None:
    engine = await started(vllm, folder, store="/adapters")
    await engine.load("support@1", adapter)
    assert vllm.adapters == {"support@1": "/adapters/support@1"}
    outside = write_adapter(tmp_path / "elsewhere")
    for path in (outside, adapter.parent / ".." / "elsewhere"):
        with pytest.raises(AdapterRefused, match=r"vLLM does not see .*elsewhere"):
            await engine.load("support@2", path)
    assert len(vllm.bodies(LOAD)) == 1


async def test_a_version_that_is_listed_already_is_taken_if_it_came_from_the_same_folder(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    vllm.adapters["support@1"] = str(adapter)
    await engine.load("support@1", adapter)
    assert vllm.bodies(LOAD) == []
    assert (await engine.complete(ASKED)).tokens


async def test_a_version_that_an_earlier_run_left_loaded_from_elsewhere_is_loaded_from_here(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    vllm.adapters["support@1"] = "/of/an/earlier/run"
    await engine.load("support@1", adapter)
    assert vllm.bodies(UNLOAD) == [{"lora_name": "support@1"}]
    assert vllm.adapters == {"support@1": str(adapter)}
    # What somebody else loads from elsewhere afterwards is left to them: two would take turns.
    vllm.adapters["support@1"] = "/of/somebody/else"
    with pytest.raises(AdapterRefused, match="has loaded it from /of/somebody/else, not from"):
        await engine.load("support@1", adapter)
    assert len(vllm.bodies(UNLOAD)) == 1


async def test_a_version_from_elsewhere_that_stays_loaded_is_refused(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    vllm.adapters["support@1"] = "/of/an/earlier/run"
    vllm.instead[UNLOAD] = error(500, "boom", "InternalServerError")
    with pytest.raises(AdapterRefused, match="has loaded it from /of/an/earlier/run, not from"):
        await engine.load("support@1", adapter)
    assert vllm.bodies(LOAD) == []


async def test_a_version_that_another_gateway_loads_at_the_same_time_is_taken(
    vllm: VllmDouble, folder: Path, adapter: Path
) -> None:
    handle = vllm.handle

    async def overtaken(request: httpx.Request) -> httpx.Response:
        if request.url.path == LOAD:
            vllm.adapters["support@1"] = str(adapter)
        return await handle(request)

    vllm.handle = overtaken
    engine = await started(vllm, folder)
    await engine.load("support@1", adapter)
    assert (await engine.complete(ASKED)).tokens


async def test_loading_waits_until_the_version_is_listed(
    vllm: VllmDouble, folder: Path, adapter: Path
) -> None:
    handle = vllm.handle
    listings = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal listings
        answer = await handle(request)
        if request.url.path == MODELS and vllm.adapters:
            listings += 1
            if listings < 4:
                return httpx.Response(200, json={"data": answer.json()["data"][:1]})
        return answer

    vllm.handle = slow
    engine = await started(vllm, folder, Patience(look=0.0))
    await engine.load("support@1", adapter)
    assert listings == 4


async def test_a_server_that_takes_an_adapter_but_never_lists_it_is_down(
    vllm: VllmDouble, folder: Path, adapter: Path
) -> None:
    vllm.instead[LOAD] = httpx.Response(200, text="Success")
    engine = await started(vllm, folder, Patience(load=0.05, look=0.0))
    with pytest.raises(EngineDown, match="took adapter support@1 but does not list it"):
        await engine.load("support@1", adapter)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (error(500, "vLLM does not yet support DoRA.", "InternalServerError"), "support DoRA"),
        (error(500, "LoRA rank 64 is greater than max_lora_rank 16."), "rank 64 is greater"),
        (error(400, "The lora adapter 'x' conflicts with a served base model."), "conflicts"),
        (error(404, "No adapter found", "NotFoundError"), "No adapter found; vLLM must see /"),
    ],
)
async def test_what_vllm_refuses_is_refused_with_its_reason(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path, answer: httpx.Response, message: str
) -> None:
    vllm.instead[LOAD] = answer
    with pytest.raises(AdapterRefused, match=f"support@1: vLLM does not load it: .*{message}"):
        await engine.load("support@1", adapter)
    with pytest.raises(UnknownModel):
        await engine.complete(ASKED)


async def test_a_server_that_loads_nothing_at_run_time_is_told_how_it_would(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    vllm.runtime_updating = False
    with pytest.raises(AdapterRefused, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"):
        await engine.load("support@1", adapter)


async def test_a_server_that_dies_of_an_adapter_is_down(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    vllm.instead[LOAD] = error(500, "EngineCore encountered an issue", "InternalServerError")
    vllm.instead["/health"] = httpx.Response(503)
    with pytest.raises(EngineDown, match=r"adapter support@1 could not be loaded: .* /health"):
        await engine.load("support@1", adapter)
    vllm.instead[LOAD] = httpx.ConnectError("refused")
    with pytest.raises(EngineDown, match="refused"):
        await engine.load("support@1", adapter)


async def test_a_format_that_the_base_model_cannot_carry_is_refused_without_asking_vllm(
    vllm: VllmDouble, engine: VllmEngine, tmp_path: Path
) -> None:
    native = write_adapter(
        tmp_path / "native", prompt={"format": "native", "version": 1, "form": "schemas"}
    )
    with pytest.raises(AdapterRefused, match=r"support@1: .*does not render `tools`"):
        await engine.load("support@1", native)
    assert not vllm.asked


async def test_an_adapter_that_vllm_forgot_is_the_servers_failure_until_it_is_loaded_again(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path
) -> None:
    await engine.load("support@1", adapter)
    vllm.adapters.clear()
    for _ in range(2):
        with pytest.raises(ServerFailed, match="has forgotten support@1"):
            await engine.complete(ASKED)
        await engine.start()
    await engine.load("support@1", adapter)
    assert (await engine.complete(ASKED)).tokens


async def test_a_look_tells_which_versions_the_server_still_has_from_the_same_folder(
    vllm: VllmDouble, engine: VllmEngine, adapter: Path, tmp_path: Path
) -> None:
    await engine.load("support@1", adapter)
    await engine.load("support@2", write_adapter(tmp_path / "two"))
    vllm.adapters["somebody@3"] = "/else"
    assert await engine.look() == {"support@1", "support@2"}
    vllm.adapters["support@2"] = "/elsewhere"
    assert await engine.look() == {"support@1"}
    del vllm.adapters["support@1"]
    assert await engine.look() == frozenset()


async def test_a_look_finds_a_server_that_is_ill_or_another_one_and_if_thorough_one_that_writes_not(
    vllm: VllmDouble, engine: VllmEngine
) -> None:
    vllm.instead["/v1/completions"] = error(500, "boom", "InternalServerError")
    assert await engine.look() == frozenset()
    with pytest.raises(EngineDown, match="500: boom"):
        await engine.look(thoroughly=True)
    vllm.context += 1
    with pytest.raises(EngineDown, match="restarted with other settings"):
        await engine.look()
    vllm.instead["/health"] = httpx.Response(503)
    with pytest.raises(EngineDown, match="not well: /health answers 503"):
        await engine.look()


@pytest.mark.parametrize(
    ("answer", "warnings"),
    [
        (None, 0),
        (httpx.ConnectError("refused"), 1),
        (error(500, "boom", "InternalServerError"), 1),
    ],
)
async def test_forgetting_never_fails_and_tells_what_stays(
    vllm: VllmDouble,
    folder: Path,
    answer: httpx.Response | Exception | None,
    warnings: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = await started(vllm, folder, QUICK)
    if answer is not None:
        vllm.instead[UNLOAD] = answer
    with caplog.at_level(logging.WARNING, "gateway.engines.vllm_adapters"):
        await engine.unload("never@1")
    assert len(caplog.records) == warnings
