"""The care record of an encounter as those outside of the organisation may see it.

`protocols.epcr.projection` has the rules. The key of a tenant's pseudonyms is derived from the master key, so it is
stable and in no table.
"""

from collections.abc import Callable
from functools import lru_cache

from cloud.clinical.epcr.care_log import CareLog
from cloud.clinical.epcr.model import Encounter
from cloud.foundation.db import Transaction
from cloud.foundation.master_key import MasterKey
from protocols.epcr.projection import VisibleRecord, partner_record, treatment_record
from protocols.epcr.record import CareRecord, current_record

KEYS_MAX = 1024
"""Tenants whose key is cached: a derivation takes as long as the projection of a short record."""


class VisibleRecords:
    """Reads the visible part of care records. `master` loads the master key, at the first use."""

    def __init__(self, master: Callable[[], MasterKey]) -> None:
        self._master = master
        self._key = lru_cache(maxsize=KEYS_MAX)(self._derive)
        self._log = CareLog()

    async def for_partners(self, tx: Transaction, encounter: Encounter) -> VisibleRecord:
        """Return the de-identified record of an encounter. The caller must have checked that the viewer may see the
        encounter. Raises `CareRecordTooLarge`, `MasterKeyAbsent`."""
        record = await self._record(tx, encounter)
        key = self._key(encounter.tenant_id)
        return partner_record(record, key=key, encounter=encounter.id, mission_us=encounter.created_at_us)

    async def for_treatment(self, tx: Transaction, encounter: Encounter) -> VisibleRecord:
        """Return the identified record of an encounter. The caller must have checked that the viewer may see the
        encounter and that its tenant is entitled, and audits the reading in `tx`. Raises `CareRecordTooLarge`,
        `MasterKeyAbsent`."""
        record = await self._record(tx, encounter)
        return treatment_record(record, key=self._key(encounter.tenant_id), encounter=encounter.id)

    async def _record(self, tx: Transaction, encounter: Encounter) -> CareRecord:
        return current_record(await self._log.of_encounter(tx, encounter))

    def _derive(self, tenant_id: str) -> bytes:
        return self._master().derive(f"pseudonyms {tenant_id}")
