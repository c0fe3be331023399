"""Stored observations of the calls of this vehicle, as proposals for their drafts.

A draft gets the observations of the batches that it holds (`device_holding`), until five minutes after the care was
transferred. They are read from the store once and reduced (`protocols.epcr.call_measurements`); later requests read
only the batches behind. They are read again where a decision moved the devices, and where the gateway has learned the
time, since the times of earlier observations follow from it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.buffer import Buffer
from gateway.epcr.device_holding import AFTER_TRANSFER_US, BEFORE_US, CALL_US_MAX
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import Drafts
from protocols.clock_anchor import NO_ANCHORS, Anchors
from protocols.epcr.call_measurements import CallMeasurements
from protocols.epcr.device_holding import Span
from protocols.epcr.entries import Entries, moment_us
from protocols.epcr.proposal import Proposal
from protocols.observation_record import ObservationRecord
from protocols.uplink.lanes import Lane

CALLS_MAX = 4
"""Calls whose reduced measurements are kept; a further one is read again."""
BATCHES_MAX = 60_000
"""Newest batches that are searched: more than eight hours of a vehicle."""
OBSERVATIONS_MAX = 2_000_000
PAGE = 512


@dataclass(slots=True)
class _Call:
    spans: Sequence[Span]
    anchors: Anchors
    epoch: str
    through: int
    measurements: CallMeasurements = field(default_factory=CallMeasurements)


class CallObservations:
    """Proposals for the drafts, from the store's observations. `anchors` returns those of the machine's boots."""

    def __init__(self, buffer: Buffer, drafts: Drafts, anchors: Callable[[], Anchors] = lambda: NO_ANCHORS) -> None:
        self._buffer = buffer
        self._drafts = drafts
        self._anchors = anchors
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._reading = asyncio.Lock()

    async def proposals(self, draft: Draft) -> list[Proposal]:
        """Return the proposals that are no entries of the draft yet, the earliest first. Raises StoreFull."""
        async with self._reading:
            call = await self._call(draft)
            await self._read(call)
        entries = {name.entry for each in draft.record.fields for name in (each.name,) if name.entry}
        entries.update(name.entry for name in draft.record.void)
        return [each for each in self._offered(draft, call) if each.id not in entries]

    async def find(self, draft: Draft, proposal_ids: Sequence[str]) -> list[Proposal]:
        """Return the proposals with these ids, also those that were accepted before; unknown ids are left out."""
        await self.proposals(draft)
        known = {each.id: each for each in self._offered(draft, self._calls[draft.encounter])}
        return [known[each] for each in dict.fromkeys(proposal_ids) if each in known]

    def _offered(self, draft: Draft, call: _Call) -> list[Proposal]:
        """Return the proposals of the call, whose end may be stated after the values were read."""
        return [each for each in call.measurements.proposals() if not _is_after_transfer(each.anchor, draft)]

    async def _call(self, draft: Draft) -> _Call:
        """Return what was read of a call, or nothing where all of it has to be read."""
        epoch, anchors = self._buffer.epoch, self._anchors()
        spans = await self._spans(draft, epoch)
        call = self._calls.get(draft.encounter)
        if call is None or call.epoch != epoch or call.anchors != anchors or not _continues(call, spans):
            last = self._buffer.marks()[Lane.NUMERIC].last
            first = max(spans[0].first if spans else last, last - BATCHES_MAX)
            call = self._calls[draft.encounter] = _Call(spans, anchors, epoch, first)
        call.spans = spans
        self._calls.move_to_end(draft.encounter)
        while len(self._calls) > CALLS_MAX:
            self._calls.popitem(last=False)
        return call

    async def _spans(self, draft: Draft, epoch: str) -> Sequence[Span]:
        """Return the batches of a draft. A draft of an earlier release, or of a program, has decided nothing: it holds
        the devices from ten minutes before its first change until the first decision after that."""
        devices = self._drafts.devices
        if devices.has_decided(draft.encounter):
            return devices.spans(draft.encounter, epoch)
        _, first = await self._buffer.numeric_before(CALL_US_MAX, draft.changes[0].gateway_time_us - BEFORE_US)
        return devices.undecided(first, epoch)

    async def _read(self, call: _Call) -> None:
        last = self._buffer.marks()[Lane.NUMERIC].last
        found: list[ObservationRecord] = []
        async for record in self._buffer.records(
            lane=Lane.NUMERIC, limit=OBSERVATIONS_MAX, after=call.through, anchors=call.anchors
        ):
            if record.sequence > last:
                break  # a batch that still grows is read when it is complete
            call.through = max(call.through, record.sequence)
            if any(span.has(record.sequence) for span in call.spans):
                found.append(record)
            if len(found) >= PAGE:
                call.measurements.add(found)
                found.clear()
                await asyncio.sleep(0)  # the devices' reports come first
        call.measurements.add(found)


def _continues(call: _Call, spans: Sequence[Span]) -> bool:
    """Return whether everything that was read for a call is what its spans have up to there."""
    return _read_part(call.spans, call.through) == _read_part(spans, call.through)


def _read_part(spans: Sequence[Span], through: int) -> list[tuple[int, int]]:
    return [
        (each.first, through if each.last is None else min(each.last, through))
        for each in spans
        if each.first < through
    ]


def _is_after_transfer(record: ObservationRecord, draft: Draft) -> bool:
    """Return whether a value was measured more than five minutes after the transfer of care, both by its corrected time
    and by the gateway's clock: each of the two may have been wrong by years when the transfer was stated."""
    transfer = Entries(draft.record).field("times.transfer_of_care")
    if transfer is None or (stated_us := moment_us(transfer.shown[-1].value or "")) is None:
        return False
    return (
        record.observed_at_us > stated_us + AFTER_TRANSFER_US
        and record.received_at_us > transfer.shown[-1].gateway_time_us + AFTER_TRANSFER_US
    )
