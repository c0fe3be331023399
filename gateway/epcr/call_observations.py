"""Stored observations of the calls of this vehicle, as proposals for their drafts.

The observations of a call are those received from ten minutes before its draft was opened until the next draft is
opened, or until five minutes after the care was transferred. They are read from the store once and reduced
(`protocols.epcr.call_measurements`); later requests read only the batches behind. No two drafts share an observation:
while the patient of an earlier draft is neither handed over nor its report signed, the later draft takes only what
comes after it was opened.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.buffer import Buffer
from gateway.epcr.drafts import Draft, Drafts
from protocols.epcr.annotations import Annotation
from protocols.epcr.call_measurements import CallMeasurements
from protocols.epcr.entries import Entries
from protocols.epcr.proposal import Proposal
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane

BEFORE_US = 600_000_000
"""Devices are switched on before anyone opens a report: at the patient, on the way from the vehicle."""
AFTER_TRANSFER_US = 300_000_000
CALL_US_MAX = 24 * 3_600_000_000
"""Longest call: a draft that was opened before and has no end is forgotten, not open."""
CALLS_MAX = 4
"""Calls whose reduced measurements are kept; a further one is read again."""
BATCHES_MAX = 60_000
"""Newest batches that are searched: more than eight hours of a vehicle."""
OBSERVATIONS_MAX = 2_000_000
PAGE = 512


@dataclass(slots=True)
class _Call:
    measurements: CallMeasurements = field(default_factory=CallMeasurements)
    epoch: str = ""
    through: int = 0


class CallObservations:
    """Proposals for the drafts, from the store's observations."""

    def __init__(self, buffer: Buffer, drafts: Drafts) -> None:
        self._buffer = buffer
        self._drafts = drafts
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._reading = asyncio.Lock()

    async def proposals(self, draft: Draft) -> list[Proposal]:
        """Return the proposals that are no entries of the draft yet, the earliest first. Raises StoreFull."""
        async with self._reading:
            call = self._calls.setdefault(draft.encounter, _Call())
            self._calls.move_to_end(draft.encounter)
            while len(self._calls) > CALLS_MAX:
                self._calls.popitem(last=False)
            await self._read(draft, call)
        entries = {name.entry for each in draft.record.fields for name in (each.name,) if name.entry}
        entries.update(name.entry for name in draft.record.void)
        return [each for each in self._offered(draft, call) if each.id not in entries]

    async def find(self, draft: Draft, proposal_ids: Sequence[str]) -> list[Proposal]:
        """Return the proposals with these ids, also those that were accepted before; unknown ids are left out."""
        await self.proposals(draft)
        known = {each.id: each for each in self._offered(draft, self._calls[draft.encounter])}
        return [known[each] for each in dict.fromkeys(proposal_ids) if each in known]

    def _offered(self, draft: Draft, call: _Call) -> list[Proposal]:
        """Return the proposals of the call as its interval is now: its end may be stated after the values were read."""
        first_us, last_us = self._span(draft)
        return [
            each
            for each in call.measurements.proposals()
            if first_us <= each.anchor.received_at_us and (last_us is None or each.anchor.received_at_us <= last_us)
        ]

    async def _read(self, draft: Draft, call: _Call) -> None:
        epoch, last = self._buffer.epoch, self._buffer.marks()[Lane.NUMERIC].last
        if epoch != call.epoch:
            call.epoch, call.through = epoch, max(0, last - BATCHES_MAX)
        first_us, last_us = self._span(draft)
        found: list[ObservationRecord] = []
        async for record in self._buffer.records(
            lane=Lane.NUMERIC, since_us=first_us, limit=OBSERVATIONS_MAX, after=call.through
        ):
            if record.sequence > last:
                break  # a batch that still grows is read when it is complete
            call.through = max(call.through, record.sequence)
            if last_us is None or record.received_at_us <= last_us:
                found.append(record)
            if len(found) >= PAGE:
                call.measurements.add(found)
                found.clear()
                await asyncio.sleep(0)  # the devices' reports come first
        call.measurements.add(found)

    def _span(self, draft: Draft) -> tuple[int, int | None]:
        """Return the first and the last time of reception of the call's observations, by the gateway's clock; None: it
        continues."""
        opened_us = draft.changes[0].gateway_time_us
        ends = [
            each.changes[0].gateway_time_us
            for each in self._drafts.all()
            if each is not draft and each.changes[0].gateway_time_us > opened_us
        ]
        stated = Entries(draft.record)
        transferred_us = stated.time_us("times.transfer_of_care")
        if transferred_us is not None and transferred_us > opened_us:
            ends.append(transferred_us + AFTER_TRANSFER_US)
        before = [
            min(opened_us, _end_us(each))
            for each in self._drafts.all()
            if each is not draft and each.changes[0].gateway_time_us <= opened_us
        ]
        return max([opened_us - BEFORE_US, *before]), min(ends, default=None)


def _end_us(draft: Draft) -> int:
    """Return the time until which the observations are those of a draft, if no other draft was opened: five minutes
    after the transfer of care, or when it was signed."""
    ends_us = [draft.changes[0].gateway_time_us + CALL_US_MAX]
    ends_us += [each.gateway_time_us for each in draft.changes if each.key == Annotation.SEAL][:1]
    transferred_us = Entries(draft.record).time_us("times.transfer_of_care")
    if transferred_us is not None:
        ends_us.append(transferred_us + AFTER_TRANSFER_US)
    return min(ends_us)
