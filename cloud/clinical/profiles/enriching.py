"""Enrich the profiles of a long list, some at a time, in steps that may be interrupted and made again.

The comparison is made first and only reads. Its enrichments are stored in a later transaction, together with the
caller's position in the list. An interrupted step makes the same enrichments again: their ids and times come from the
caller and from what was compared, not from the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.access.audit import Audit
from cloud.clinical.profiles.comparison import Comparison, compare
from cloud.clinical.profiles.errors import ConnectorNotForKind, ProfileChanged, ProfileUnknown
from cloud.clinical.profiles.model import Enrichment
from cloud.clinical.profiles.store import ProfileStore
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import derived_id
from cloud.foundation.viewer import Actor


@dataclass(frozen=True, slots=True)
class EnrichedProfile:
    """The result for one id of a list: an enrichment with its comparison, or the error with which the route of a single
    profile would respond. `names` is the number of names that were searched."""

    profile_id: str
    compared: Comparison | None = None
    enrichment: Enrichment | None = None
    error: DomainError | None = None

    @property
    def names(self) -> int:
        return 0 if self.compared is None else len(self.compared.profile.names)


class ProfileEnricher:
    """Enriches the profiles of a list for the job with the id `job_id`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._store = ProfileStore()
        self._audit = Audit(clock)

    async def compare(
        self, actor: Actor, turn_id: str, profile_id: str, connectors: Sequence[str] | None, since_us: int
    ) -> EnrichedProfile:
        """Compare one profile by these connectors (None: all for its kind). `turn_id` is the id of the job, or another
        one each time that the job begins again, so that the enrichments of two turns differ. The time of an enrichment
        is the time from which the result holds: the latest of `since_us`, the last change of the profile, and the
        import of the searched lists. A profile that the caller may not see is as unknown as an absent one."""
        async with self._database.read() as tx:
            profile = await self._store.find(tx, actor, profile_id)
            if profile is None:
                return EnrichedProfile(profile_id, error=ProfileUnknown())
            try:
                compared = await compare(tx, actor, profile, connectors)
            except ConnectorNotForKind as error:
                return EnrichedProfile(profile_id, error=error)
        at_us = max(since_us, compared.valid_since_us)
        enrichment = compared.enrichment(derived_id("enr", at_us, turn_id, profile_id), at_us)
        return EnrichedProfile(profile_id, compared, enrichment)

    async def store(self, tx: Transaction, actor: Actor, job_id: str, results: Sequence[EnrichedProfile]) -> None:
        """Store the enrichments of some profiles, each with its audit entry. Raises `ProfileChanged`."""
        made = {
            one.profile_id: (one.compared, one.enrichment)
            for one in results
            if one.compared is not None and one.enrichment is not None
        }
        if not made:
            return
        compared = {id: one.profile.updated_at_us for id, (one, _) in made.items()}
        if await self._store.changes(tx, actor.tenant_id, made) != compared:
            raise ProfileChanged
        await self._store.add_enrichments(tx, [enrichment for _, enrichment in made.values()])
        for profile_id, (one, enrichment) in made.items():
            details = {**one.audit_details(enrichment), "job_id": job_id}
            await self._audit.record(tx, actor, "profile.enrich", profile_id, metadata=details)
