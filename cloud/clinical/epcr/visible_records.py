"""The care record of an encounter as those outside of the organisation may see it.

`protocols.epcr.projection` has the rules. The key of a tenant's pseudonyms is derived from the master key, so it is
stable and in no table.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

from cloud.clinical.epcr.care_log import CareLog
from cloud.clinical.epcr.model import Encounter
from cloud.foundation.db import Transaction
from cloud.foundation.master_key import MasterKey
from protocols.epcr.change import FieldChange
from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleRecord, partner_record, treatment_record
from protocols.epcr.record import current_record, in_order
from protocols.epcr.signing import ReportSigning, has_entries, signing_of

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
        return self._visible(encounter, Audience.PARTNERS, await self._log.of_encounter(tx, encounter))

    async def for_treatment(self, tx: Transaction, encounter: Encounter) -> VisibleRecord:
        """Return the identified record of an encounter. The caller must have checked that the viewer may see the
        encounter and that its tenant is entitled, and audits the reading in `tx`. Raises `CareRecordTooLarge`,
        `MasterKeyAbsent`."""
        return self._visible(encounter, Audience.TREATMENT, await self._log.of_encounter(tx, encounter))

    async def with_signing(
        self, tx: Transaction, encounter: Encounter, audience: Audience
    ) -> tuple[VisibleRecord, ReportSigning]:
        """Return the record for an audience (partners or treatment), and how far it is signed. The caller must have
        done what `for_partners` or `for_treatment` demands. Raises the same."""
        lanes = await self._log.of_lanes(tx, encounter)
        record = self._visible(encounter, audience, in_order([changes for _, changes in lanes]))
        return record, signing_of_lanes(encounter, lanes)

    def _visible(self, encounter: Encounter, audience: Audience, changes: Sequence[FieldChange]) -> VisibleRecord:
        record, key = current_record(changes), self._key(encounter.tenant_id)
        if audience is Audience.TREATMENT:
            return treatment_record(record, key=key, encounter=encounter.id)
        return partner_record(record, key=key, encounter=encounter.id, mission_us=encounter.created_at_us)

    def _derive(self, tenant_id: str) -> bytes:
        return self._master().derive(f"pseudonyms {tenant_id}")


def signing_of_lanes(encounter: Encounter, lanes: Sequence[tuple[str, Sequence[FieldChange]]]) -> ReportSigning:
    """Return how far a report with these changes is signed (`CareLog.of_lanes`). A report that was only imported has no
    seal: it is that of another system, which is taken as signed when the encounter has ended."""
    logs: defaultdict[tuple[str, str], list[FieldChange]] = defaultdict(list)
    for gateway_id, changes in lanes:
        for change in changes:
            logs[gateway_id, change.encounter].append(change)
    of_vehicles = [log for (gateway_id, _), log in logs.items() if gateway_id]
    if len(of_vehicles) < len(logs) and not any(map(has_entries, of_vehicles)):
        return ReportSigning(signed=encounter.status.is_final)
    return signing_of(of_vehicles)
