"""What an operator sees: log lines (JSON or text) and metrics. No decisions.

Every event of ours carries `event` and its fields as log-record extras; the formatter writes them.
"""

import json
import logging
import sys
import time
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
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
            **extras(record),
        }
        if record.exc_info:
            value["exception"] = self.formatException(record.exc_info)
        return json.dumps(value, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """`12:00:01 WARNING message  [event]`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        event = extras(record).get("event")
        line = f"{clock} {record.levelname:7} {record.getMessage()}"
        line += f"  [{event}]" if event else ""
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


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


class Metrics:
    """The gateway's metrics, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
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

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
