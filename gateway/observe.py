"""What an operator sees: log lines (JSON or text) and metrics. No decisions.

Every event of ours carries `event` and its fields as log-record extras; the formatter writes them.
`detail` holds lines for people alone, which say what the other fields say.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import choose_encoder

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_WHEN = ("before", "drifted", "policy")
_OURS = ("gateway", "training", "mcp_servers")


class JsonLines(logging.Formatter):
    """One JSON object a line: time (seconds, UTC), level, logger, message, and the extras."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        value: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: value for key, value in extras(record).items() if key != "detail"},
        }
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """`12:00:01 WARNING message  [event]`, for people; an event's `detail` in lines below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fields = extras(record)
        event = fields.get("event")
        line = f"{clock} {record.levelname:7} {_plain(record.getMessage())}"
        line += f"  [{event}]" if event else ""
        line += "".join(f"\n    {_plain(text)}" for text in fields.get("detail", ()))
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def _plain(text: str) -> str:
    """A text as a terminal may show it: what a server wrote must not move the cursor."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that a log call added to its record."""
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def configure_logging(form: Literal["json", "text"]) -> None:
    """Send our logs to stderr; other libraries only from warnings on."""
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(JsonLines() if form == "json" else Text())
    logging.basicConfig(level=logging.WARNING, handlers=[out], force=True)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)


class VersionMetrics:
    """What adapter versions are compared by; `role` is service, canary or shadow."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "pointsman_route_seconds", "Time to route a request, by version.", ("model", "role"),
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )  # fmt: skip
        self.confidence = Histogram(
            "pointsman_route_confidence", "Confidence of a route, by version.", ("model", "role"),
            buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1),
            registry=registry,
        )  # fmt: skip
        self.errors = Counter(
            "pointsman_route_errors", "Requests that the engine could not complete, by version.",
            ("model", "role", "code"), registry=registry,
        )  # fmt: skip
        self.shadow_routes = Counter(
            "pointsman_shadow_routes", "Answers of a shadow, which nobody was given.",
            ("model", "outcome", "reason_code"), registry=registry,
        )  # fmt: skip
        self.shadow_disagreements = Counter(
            "pointsman_shadow_disagreements",
            "Requests on which a shadow would have made other calls than the version in service.",
            ("model", "in_service"), registry=registry,
        )  # fmt: skip
        self.shadow_dropped = Counter(
            "pointsman_shadow_dropped", "Requests that a shadow was not asked, for it was behind.",
            ("model",), registry=registry,
        )  # fmt: skip
        self.trial_share = Gauge(
            "pointsman_trial_share_ratio", "Share of the conversations that a trial is drawn for.",
            ("model", "kind"), registry=registry,
        )  # fmt: skip


class AnswerMetrics:
    """How turns of a chat were answered; `path` is router, fallback, reason or result."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answers = Counter(
            "pointsman_answers", "Answered turns of a chat, by who answered and with what.",
            ("path", "kind"), registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "pointsman_answer_seconds", "Time until a turn of a chat was answered whole.",
            ("path",), buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
            registry=registry,
        )  # fmt: skip
        self.saved_tokens = Counter(
            "pointsman_saved_tokens",
            "Tokens that no LLM had to read or write, estimated at four characters a token.",
            ("path",), registry=registry,
        )  # fmt: skip
        self.deferred = Counter(
            "pointsman_fallback_turns", "Turns that the fallback took over, by the reason.",
            ("reason",), registry=registry,
        )  # fmt: skip
        self.fallback_tokens = Counter(
            "pointsman_fallback_tokens", "Tokens of the fallback, as it reports them.",
            ("kind",), registry=registry,
        )  # fmt: skip
        self.fallback_errors = Counter(
            "pointsman_fallback_errors", "Turns that the fallback failed to answer.",
            ("code",), registry=registry,
        )  # fmt: skip
        self.approvals = Counter(
            "pointsman_approvals", "Calls that had to be approved: asked, approved, denied.",
            ("step",), registry=registry,
        )  # fmt: skip


class ImpactMetrics:
    """What a drift was measured to cost; `when` is before, drifted (nothing withheld) or policy."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.exact = Gauge(
            "pointsman_drift_exact_ratio",
            "Share of a drifted adapter's rows that are answered exactly.", ("adapter", "when"),
            registry=registry,
        )  # fmt: skip
        self.wrong_calls = Gauge(
            "pointsman_drift_wrong_calls_ratio",
            "Share of a drifted adapter's rows that would get a wrong call.", ("adapter", "when"),
            registry=registry,
        )  # fmt: skip
        self.rows = Gauge(
            "pointsman_drift_measured_rows", "Rows that a drift was measured with.", ("adapter",),
            registry=registry,
        )  # fmt: skip
        self.flipped = Gauge(
            "pointsman_drift_flipped_rows",
            "Rows that are answered exactly no more, or only now.", ("adapter",),
            registry=registry,
        )  # fmt: skip

    def tell(self, adapter: str, impact: Mapping[str, Any]) -> None:
        """Take over a figure in the form of `Impact.as_dict`."""
        for when in _WHEN:
            self.exact.labels(adapter, when).set(impact[when]["exact"]["value"])
            self.wrong_calls.labels(adapter, when).set(impact[when]["wrong_call_rate"]["value"])
        self.rows.labels(adapter).set(impact["rows"])
        self.flipped.labels(adapter).set(impact["flips"])

    def forget(self, adapter: str) -> None:
        """Take back the figures of an adapter."""
        for when in _WHEN:
            self.exact.remove(adapter, when)
            self.wrong_calls.remove(adapter, when)
        self.rows.remove(adapter)
        self.flipped.remove(adapter)


class Metrics:
    """The gateway's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "pointsman_requests",
            "Requests to route or to call, by the face they came to; the outcome of one that "
            "failed is the code of its error.",
            ("face", "outcome", "reason_code"), registry=self.registry,
        )  # fmt: skip
        self.routes = Counter(
            "pointsman_routes", "Routed requests.", ("model", "outcome", "reason_code"),
            registry=self.registry,
        )  # fmt: skip
        self.dispatches = Counter(
            "pointsman_dispatches", "Calls sent to a server.", ("server", "result"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "pointsman_step_seconds", "Time of a step of a request.", ("step",),
            buckets=(
                0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                0.1, 0.2, 0.5, 1, 2, 5, 10, 30,
            ),
            registry=self.registry,
        )  # fmt: skip
        self.tokens = Counter(
            "pointsman_tokens", "Tokens of the router.", ("model", "kind"), registry=self.registry
        )
        self.drift = Gauge(
            "pointsman_drift_grade",
            "Worst drift of an active adapter: 0 none to 7 removed.", ("adapter",),
            registry=self.registry,
        )  # fmt: skip
        self.agent_drift = Counter(
            "pointsman_agent_tools_drift",
            "Requests whose own tools differ from the trained toolset.", ("adapter", "grade"),
            registry=self.registry,
        )  # fmt: skip
        self.upstream_up = Gauge(
            "pointsman_upstream_up", "Whether a server is connected.", ("server",),
            registry=self.registry,
        )  # fmt: skip
        self.impact = ImpactMetrics(self.registry)
        self.versions = VersionMetrics(self.registry)
        self.chats = AnswerMetrics(self.registry)
        self.engine_up = Gauge(
            "pointsman_engine_up", "Whether a replica of the engine gets prompts.", ("replica",),
            registry=self.registry,
        )  # fmt: skip

    def health(self, servers: Mapping[str, bool], replicas: Mapping[str, bool]) -> None:
        """Take over who is up now; those that are gone have no line any more."""
        for gauge, found in ((self.upstream_up, servers), (self.engine_up, replicas)):
            gauge.clear()
            for name, is_up in found.items():
                gauge.labels(name).set(is_up)

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)

    def rendered(self, accept: str) -> tuple[bytes, str]:
        """The format that an `Accept` header asks for, OpenMetrics or text, and its media type."""
        write, media_type = choose_encoder(accept)
        return write(self.registry), media_type
