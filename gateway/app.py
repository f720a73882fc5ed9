"""The composition root: builds each object once and owns the lifespan."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI

from gateway.adapters.active import ActiveAdapters
from gateway.adapters.followed import Followed, trial_of
from gateway.adapters.measuring import Measuring
from gateway.adapters.notice import DriftNotices
from gateway.adapters.silences import Silences
from gateway.adapters.store import AdapterStore
from gateway.adapters.swap import Swap
from gateway.adapters.trials import Trials
from gateway.adapters.verdict import Rule
from gateway.adapters.wanted_policy import WantedPolicy
from gateway.approval import Approvals
from gateway.assistant import Assistant
from gateway.config import Config, FallbackConfig
from gateway.dispatch import Dispatcher
from gateway.engines.base import Engine
from gateway.engines.configured import make_engine
from gateway.errors import AdapterRefused
from gateway.faces import admin, description, mcp, openai, problem, rest, ui
from gateway.faces.conversations import Conversations
from gateway.faces.guard import LOOPBACK, Guard
from gateway.faces.keys import read_keys
from gateway.faces.parts import Parts
from gateway.fallback.llm import Llm
from gateway.fallback.takeover import Fallback
from gateway.manifest import Adapter
from gateway.observe import Metrics
from gateway.pipeline import Pipeline
from gateway.records import Records
from gateway.records.following import Following
from gateway.router import Router
from gateway.toolsets.holds import Holds
from gateway.toolsets.registered import Registered
from gateway.toolsets.watch import Watch
from gateway.webhook import Webhook

logger = logging.getLogger(__name__)


def build_app(config: Config, *, engine: Engine | None = None) -> FastAPI:
    """The gateway as an ASGI application.

    `engine` replaces the configured one, for tests and for embedding.

    Raises:
        ConfigurationError: the engine or the keys cannot be had.
    """
    found = build_parts(config, engine or make_engine(config.engine, config.limits.engine_queue))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with running(found), mcp_face.running():
            yield

    app = FastAPI(
        title="Pointsman", version="1", lifespan=lifespan, responses=description.EVERYWHERE
    )
    app.state.parts = found
    problem.install(app)
    description.install(app)
    for face in (rest, openai, admin, ui):
        app.include_router(face.router)
    mcp_face = mcp.mount(app, found)
    app.add_middleware(
        Guard,
        body_bytes=config.limits.body_bytes,
        concurrent_requests=config.limits.concurrent_requests,
        open_streams=config.limits.open_streams,
        hosts=(*LOOPBACK, *config.allowed_hosts),
        origins=config.allowed_origins,
    )
    return app


def build_parts(config: Config, engine: Engine) -> Parts:
    """Every object of the gateway, wired but not started."""
    metrics = Metrics()
    records = Records(
        config.records.path,
        arguments=config.records.arguments,
        max_calls=config.records.max_calls,
    )
    watch = Watch(config.servers, config.toolsets, Holds(records))

    def is_listed(toolset: str) -> bool:
        listed = {upstream.name for upstream in watch.upstreams if upstream.listing is not None}
        return listed.issuperset(config.servers_of(toolset))

    silences = Silences(records)
    notices = DriftNotices(metrics, silences.covers)
    silences.on_end = notices.look_again
    webhook = Webhook(config.drift.webhook, claims=records) if config.drift.webhook else None
    if webhook is not None:
        notices.on_warning(lambda notice: webhook.send(notice.as_dict(), repr(notice.key)))
    active = ActiveAdapters(config.drift_rules, metrics, is_listed, notices)
    watch.on_catalog(active.on_catalog)
    router = Router(engine)
    store = AdapterStore(config.adapter_store, records, engine)
    measuring = None
    if config.drift.measure is not None:
        measuring = Measuring(config.drift.measure, engine, active.leases, notices, metrics)
        if webhook is not None:
            measuring.on_measured(lambda found: webhook.send(found.as_dict(), repr(found.mark)))
    policy = WantedPolicy(config.drift_rules, active, records)
    following = Following(records, config.records.follow_s)
    registered = Registered(watch, records)
    for follow in (policy.follow, silences.follow, registered.follow, watch.follow):
        following.on_change(follow)
    dispatcher = Dispatcher(
        watch, metrics, max_result_bytes=config.limits.result_bytes, approval=config.approval
    )
    swap = Swap(engine, store, active, records, config.swap.grace_s)
    following.on_change(Followed(records, store, swap).follow)
    rule = Rule(requests=config.swap.trial_requests, alarm_requests=config.swap.alarm_requests)
    trials = Trials(active, swap, metrics, rule)
    pipeline = Pipeline(router, active, watch, dispatcher, records, metrics, trials)
    return Parts(
        config=config,
        keys=read_keys(config.auth),
        engine=engine,
        watch=watch,
        registered=registered,
        active=active,
        drift_policy=policy,
        silences=silences,
        notices=notices,
        measuring=measuring,
        webhook=webhook,
        store=store,
        swap=swap,
        trials=trials,
        pipeline=pipeline,
        dispatcher=dispatcher,
        assistant=Assistant(pipeline, active, make_fallback(config.fallback), metrics),
        approvals=Approvals(),
        conversations=Conversations(),
        records=records,
        following=following,
        metrics=metrics,
    )


@asynccontextmanager
async def running(parts: Parts) -> AsyncGenerator[None]:
    """Start everything in order, and stop it in reverse."""
    async with AsyncExitStack() as stack:
        await parts.records.open()
        stack.push_async_callback(parts.records.close)
        await parts.drift_policy.follow()
        await parts.silences.open()
        stack.callback(parts.silences.close)
        if parts.webhook is not None:
            stack.push_async_callback(parts.webhook.close)
        await parts.watch.follow()
        stack.push_async_callback(parts.watch.holds.close)
        parts.watch.start()
        stack.push_async_callback(parts.watch.close)
        await parts.engine.start()
        stack.push_async_callback(parts.engine.close)
        stack.push_async_callback(parts.assistant.close)
        stack.push_async_callback(parts.swap.close)
        stack.push_async_callback(parts.trials.close)
        stack.push_async_callback(parts.pipeline.shadow.close)
        if parts.measuring is not None:
            parts.measuring.start()
            stack.push_async_callback(parts.measuring.close)
        await _restore(parts)
        if parts.config.records.path != ":memory:":
            parts.following.start()
            stack.push_async_callback(parts.following.close)
        yield


async def _restore(parts: Parts) -> None:
    """Bring back what an earlier run registered, and what the configuration names."""
    await parts.registered.follow()
    for reason in await parts.store.follow():
        logger.error("a stored adapter is left out: %s", reason)
    chosen: dict[str, tuple[Adapter, str | None]] = {}
    for config in parts.config.adapters:
        adapter = await parts.store.configure(config.folder)
        parts.drift_policy.configure(adapter.name, config.drift)
        chosen[adapter.name] = (adapter, config.toolset)
    stored, kept = parts.store.adapters, dict[str, Mapping[str, Any]]()
    for name, row in (await parts.records.active()).items():
        if row["version"] in stored:
            kept[name] = row
            chosen[name] = (stored[row["version"]], row["toolset"])
        else:
            logger.warning("adapter %s was in service but is not stored", row["version"])
    for name, (adapter, toolset) in chosen.items():
        try:
            if name in kept:
                row = kept[name]
                previous, trial = stored.get(row["previous"]), trial_of(row, stored)
                await parts.swap.restore(adapter, toolset, previous, trial)
            else:  # the configuration vouches for it
                await parts.swap.activate(adapter, toolset, probe=False)
        except AdapterRefused as exc:
            if parts.store.is_configured(adapter.version):
                raise
            logger.error("an adapter cannot be brought back: %s", exc)


def make_fallback(config: FallbackConfig | None) -> Fallback | None:
    """The configured fallback, if there is one."""
    return Fallback(Llm(config), repeats=config.repeats) if config is not None else None
