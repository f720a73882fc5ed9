"""The policy for drift that is in force: an administrator's, or else the configuration's.

Above stands the admin face; below, the records that keep what an administrator set, and the alias
table that follows it.
"""

import logging

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

    @property
    def current(self) -> DriftPolicy:
        """The policy in force."""
        return self.wanted or self.configured

    def configure(self, adapter: str, rules: DriftRules) -> None:
        """Take in the rules that the configuration gives to one adapter."""
        self.configured = self.configured.with_adapter(adapter, rules)
        self._active.policy = self.current

    async def open(self) -> None:
        """Bring back what an administrator set in an earlier run."""
        kept = (await self._records.kept(_KIND)).get(_NAME)
        if kept is None:
            return
        try:
            self.wanted = DriftPolicy.model_validate(kept)
        except ValidationError as exc:
            logger.error("the kept policy for drift is of another release: %s", exc.error_count())
        self._active.policy = self.current

    async def put(self, policy: DriftPolicy) -> None:
        """Put a whole policy in force, in place of the configuration's."""
        await self._records.keep(_KIND, {_NAME: policy.model_dump(exclude_defaults=True)})
        self.wanted = policy
        self._active.policy = self.current

    async def reset(self) -> None:
        """Go back to the configuration's policy."""
        await self._records.drop(_KIND, _NAME)
        self.wanted = None
        self._active.policy = self.current
