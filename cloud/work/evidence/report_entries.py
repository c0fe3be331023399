"""Find the seals and the 12-lead captures of an encounter's report that have no record yet, in each log of the report.

A report has the log of its encounter, and that of each report of the crew that the encounter was joined to
(`CareLog.logs`). A vehicle seals each log by itself, so each is read and checked by itself.

The cloud may learn of a join after it referenced the batches with seals and captures of the joined report. So the end
of a lane in the content names the reports whose log was read, and a log that it does not name is read from its first
batch. What a record has already is not recorded again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cloud.clinical.epcr import Encounter, EncounterLogs, evidence_id_of_encounter
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.work.evidence.capture_records import CAPTURE, capture_entries
from cloud.work.evidence.chain_ends import ChainEnd
from cloud.work.evidence.recorder import Entry
from cloud.work.evidence.report_records import REPORT_ID, SEAL, ReportBatches, seal_entries
from cloud.work.evidence.store import EvidenceStore
from protocols.uplink.lanes import Lane

CAPTURES = "captures_through"
"""Member of the end of a lane `epcr` in the content: the 12-lead captures up to this batch have their records, and
later ones wait for their waveforms. An end that an earlier release wrote, also during an update, lacks it: the records
then show it (`_recorded_through`)."""
REPORTS = "reports"
"""Member of the end of a lane `epcr` in the content: each report of the crew whose log was read, with what `CAPTURES`
states for its captures. Its seals have their records up to the end. If a report is missing, the records show both."""


class ReportEntries:
    """Makes the records of an encounter's report."""

    def __init__(self, store: EvidenceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def seals(
        self,
        tx: Transaction,
        encounter: Encounter,
        logs: EncounterLogs,
        ends: Sequence[ChainEnd],
        known: Mapping[str, Any],
        chains: Mapping[str, Any],
    ) -> Sequence[Entry]:
        """Return the records of the seals in these logs. `known` has the ends of the lanes as the content has them, and
        `chains` as it will have them."""
        entries: list[Entry] = []
        for end in _with_reports(ends, chains):
            before, last = known.get(end.name, {}), chains[end.name]["last_sequence"]
            for log_id in logs.of_gateway(end.gateway_id):
                through = before.get("last_sequence", 0)
                if through and log_id != encounter.id and log_id not in before.get(REPORTS, ()):
                    through = await self._recorded_through(tx, encounter, end, SEAL, log_id)
                if through < last:
                    new = _batches(end, log_id, through, last)
                    entries.extend([one async for one in seal_entries(tx, encounter, new)])
        return entries

    async def captures(
        self,
        tx: Transaction,
        encounter: Encounter,
        logs: EncounterLogs,
        ends: Sequence[ChainEnd],
        chains: dict[str, Any],
    ) -> Sequence[Entry]:
        """Return the records of the captures in these logs whose waveforms have arrived, and set in `chains` how far
        the captures of each lane have their records."""
        entries: list[Entry] = []
        for end in _with_reports(ends, chains):
            chain = chains[end.name]
            last = chain["last_sequence"]
            for log_id in logs.of_gateway(end.gateway_id):
                is_own = log_id == encounter.id
                through = chain.get(CAPTURES) if is_own else chain.get(REPORTS, {}).get(log_id)
                if through is None:
                    through = await self._recorded_through(tx, encounter, end, CAPTURE, log_id)
                if through < last:
                    new = _batches(end, log_id, through, last)
                    found, through = await capture_entries(tx, encounter, new, self._clock.now_us())
                    entries.extend(found)
                chain = chain | (
                    {CAPTURES: through} if is_own else {REPORTS: {**chain.get(REPORTS, {}), log_id: through}}
                )
            chains[end.name] = chain
        return entries

    async def _recorded_through(
        self, tx: Transaction, encounter: Encounter, end: ChainEnd, member: str, log_id: str
    ) -> int:
        """Return the last batch of a lane that a record names in this member of its details for a log; 0 if none."""
        evidence_id = evidence_id_of_encounter(encounter)
        found = await self._store.transcript_of(tx, encounter.tenant_id, evidence_id)
        wanted = (end.gateway_id, end.epoch, None if log_id == encounter.id else log_id)
        through = 0
        for one in found.records if found else ():
            details: Any = one.core_members.get("details")
            place = details.get(member) if isinstance(details, Mapping) else None
            if place is not None and (place["gateway_id"], place["epoch"], place.get(REPORT_ID)) == wanted:
                through = max(through, int(place["sequence"]))
        return through


def captures_wait(chain: Mapping[str, Any]) -> bool:
    """Return whether captures up to the end of a lane may have no record yet."""
    last = chain.get("last_sequence", 0)
    return bool(min([chain.get(CAPTURES, last), *chain.get(REPORTS, {}).values()]) < last)


def _with_reports(ends: Sequence[ChainEnd], chains: Mapping[str, Any]) -> Iterator[ChainEnd]:
    """Yield the ends of lanes with changes of reports that the content has."""
    return (end for end in ends if end.lane == Lane.EPCR.value and end.name in chains)


def _batches(end: ChainEnd, log_id: str, through: int, last: int) -> ReportBatches:
    """Return the batches of a lane behind `through`, up to `last`."""
    return ReportBatches(
        log_id=log_id,
        lane_id=end.lane_id,
        gateway_id=end.gateway_id,
        epoch=end.epoch,
        first=through + 1,
        last=last,
    )
