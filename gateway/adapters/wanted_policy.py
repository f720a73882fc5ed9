"""The policy for drift that is in force: an administrator's, or else the configuration's.

Above stands the admin face; below, the records that keep what an administrator set, and the alias
table that follows it.
"""

import logging
from typing import Any

from pydantic import ValidationError

from gateway.adapters.active import ActiveAdapters
from gateway.drift_policy import DriftPolicy, DriftRules
from gateway.records import Records

logger = logging.getLogger(__name__)
_KIND, _NAME = "drift_policy", "all"


class WantedPolicy:
    """Keeps the policy, and puts it in force."""

    def __init__(self, configured: DriftPolicy, active: ActiveAdapters, records: Records) -> None:
        self.configured = configured
        self.wanted: DriftPolicy | None = None
        self._active = active
        self._records = records
        self._kept: Any = None

    @property
    def current(self) -> DriftPolicy:
        """The policy in force."""
        return self.wanted or self.configured

    def configure(self, adapter: str, rules: DriftRules) -> None:
        """Take in the rules that the configuration gives to one adapter."""
        self.configured = self.configured.with_adapter(adapter, rules)
        self._active.enforce(self.current)

    async def follow(self) -> None:
        """Take over what an administrator set, in an earlier run or through another gateway."""
        kept = (await self._records.kept(_KIND)).get(_NAME)
        if kept == self._kept:
            return
        try:
            wanted = None if kept is None else DriftPolicy.model_validate(kept)
        except ValidationError as exc:
            logger.error(
                "the kept policy for drift is of another release: %s problems", exc.error_count()
            )
            wanted = self.wanted
        self._force(wanted, kept)

    async def put(self, policy: DriftPolicy) -> None:
        """Put a whole policy in force, in place of the configuration's."""
        kept = policy.model_dump(exclude_defaults=True)
        await self._records.keep(_KIND, {_NAME: kept})
        self._force(policy, kept)

    async def reset(self) -> None:
        """Go back to the configuration's policy."""
        await self._records.drop(_KIND, _NAME)
        self._force(None, None)

    def _force(self, wanted: DriftPolicy | None, kept: Any) -> None:
        self.wanted, self._kept = wanted, kept
        self._active.enforce(self.current)
