"""Calls sent to the servers that own the tools, and what comes back of each way to fail."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp.types import CallToolResult

from gateway.dispatch import Dispatcher
from gateway.errors import InvalidArguments, UnknownTool, UpstreamDown, UpstreamTimeout
from gateway.observe import Metrics
from gateway.toolsets.watch import Watch
from gateway.types import Call
from tests.gateway.serving import dispatched
from tests.gateway.toolsets.upstream_doubles import PATIENCE_S, Script, text_of, tool

SIZED = tool(
    "big",
    inputSchema={
        "type": "object",
        "properties": {"size": {"type": "integer", "maximum": 1000}},
        "required": ["size"],
    },
)


@asynccontextmanager
async def dispatching(
    script: Script, *, limit: int = 10_000, **config: object
) -> AsyncIterator[tuple[Dispatcher, Metrics]]:
    watch, metrics = Watch([script.config(**config)], []), Metrics()
    watch.start()
    try:
        await watch.upstream("script").first_listing(PATIENCE_S)
        yield Dispatcher(watch, metrics, max_result_bytes=limit), metrics
    finally:
        await watch.close()


async def checked_call(dispatcher: Dispatcher, call: Call) -> CallToolResult:
    dispatcher.check([call])
    (result,) = await dispatcher.dispatch([call])
    return result


def count(metrics: Metrics, result: str) -> float | None:
    labels = {"server": "script", "result": result}
    return metrics.registry.get_sample_value("pointsman_dispatches_total", labels)


def texts(results: list[CallToolResult]) -> list[tuple[str, bool]]:
    return [(text_of(result), result.is_error) for result in results]


async def test_a_valid_call_reaches_its_server_under_the_servers_own_name(tmp_path: Path) -> None:
    script = Script(tmp_path, "echo")
    async with dispatching(script, prefix="my_") as (dispatcher, metrics):
        result = await checked_call(dispatcher, Call("my_echo", {"a": 1}))
        assert text_of(result) == 'echo{"a": 1}'
        assert count(metrics, "ok") == 1


async def test_an_unknown_tool_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    script = Script(tmp_path, "echo")
    async with dispatching(script) as (dispatcher, _):
        with pytest.raises(UnknownTool, match="'nope'"):
            await checked_call(dispatcher, Call("nope", {}))
        with pytest.raises(UnknownTool, match="'nope'"):
            await dispatcher.dispatch([Call("nope", {})])
        assert dispatched(script) == 0


async def test_arguments_that_break_the_schema_are_refused_and_nothing_is_sent(
    tmp_path: Path,
) -> None:
    script = Script(tmp_path)
    script.tell_pages([SIZED])
    async with dispatching(script) as (dispatcher, _):
        with pytest.raises(InvalidArguments) as caught:
            await checked_call(dispatcher, Call("big", {"size": 1001}))
        assert [error["pointer"] for error in caught.value.errors] == ["/size"]
        assert dispatched(script) == 0


@pytest.mark.parametrize(("size", "fits"), [(500, True), (501, False)])
async def test_a_result_over_the_limit_is_not_passed_on(
    tmp_path: Path, size: int, fits: bool
) -> None:
    script = Script(tmp_path)
    script.tell_pages([SIZED])
    async with dispatching(script, limit=500) as (dispatcher, metrics):
        call = Call("big", {"size": size})
        if fits:
            assert text_of(await checked_call(dispatcher, call)) == "x" * size
        else:
            with pytest.raises(UpstreamDown, match="big ran, but its result of 501 bytes"):
                await checked_call(dispatcher, call)
        assert count(metrics, "ok" if fits else "error") == 1


async def test_the_failure_of_a_single_call_is_raised(tmp_path: Path) -> None:
    script = Script(tmp_path, "hang", "die")
    async with dispatching(script, timeout_s=0.2) as (dispatcher, metrics):
        with pytest.raises(UpstreamTimeout, match="may have run"):
            await dispatcher.dispatch([Call("hang", {})])
        with pytest.raises(UpstreamDown):
            await dispatcher.dispatch([Call("die", {})])
        assert count(metrics, "error") == 2


async def test_several_calls_are_made_in_their_order(tmp_path: Path) -> None:
    script = Script(tmp_path, "one", "two")
    async with dispatching(script) as (dispatcher, _):
        results = await dispatcher.dispatch([Call("two", {}), Call("one", {}), Call("two", {})])
    assert texts(results) == [("two{}", False), ("one{}", False), ("two{}", False)]


async def test_after_a_failure_among_several_calls_the_rest_is_not_made(tmp_path: Path) -> None:
    script = Script(tmp_path, "echo", "hang")
    async with dispatching(script, timeout_s=0.2) as (dispatcher, _):
        calls = [Call("echo", {}), Call("hang", {}), Call("echo", {}), Call("gone", {})]
        results = await dispatcher.dispatch(calls)
        assert dispatched(script) == 2
    (ran, failed, third, fourth) = texts(results)
    assert ran == ("echo{}", False)
    assert failed[1]
    assert "did not answer hang" in failed[0]
    assert third == fourth == ("not made: an earlier call failed", True)


async def test_no_calls_give_no_results(tmp_path: Path) -> None:
    async with dispatching(Script(tmp_path, "echo")) as (dispatcher, _):
        assert await dispatcher.dispatch([]) == []
