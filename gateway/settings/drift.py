"""What is done about drift, and who is told of it."""

from pathlib import Path

from pydantic import Field, SecretStr

from gateway.drift_policy import DriftPolicy
from gateway.settings.part import Part, Url


class WebhookConfig(Part):
    """Where events are sent, and the secret that signs them. After a failure an event is sent again
    `retries` times, after `backoff_s` seconds and then after twice as long each time."""

    url: Url
    secret: SecretStr = Field(min_length=16)
    retries: int = Field(default=3, ge=0, le=10)
    backoff_s: float = Field(default=1.0, ge=0, le=600)


class MeasureConfig(Part):
    """How the gateway measures what a drift costs: with at most `rows` of those that an adapter
    carries, evenly spread, and the answers kept beneath `folder`.

    A row is asked once no agent has asked for `quiet_s` seconds; under constant load one row all
    the same every `every_s` seconds, so that agents wait for no more of them.
    """

    rows: int = Field(default=100, gt=0)
    folder: Path = Path(".pointsman/impact")
    quiet_s: float = Field(default=0.5, ge=0, le=3600)
    every_s: float = Field(default=30.0, gt=0, le=86_400)


class DriftConfig(DriftPolicy):
    """What is done about drift, who is told of it beside the log, and whether its cost is
    measured."""

    webhook: WebhookConfig | None = None
    measure: MeasureConfig | None = None
