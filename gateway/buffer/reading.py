"""Observations and events of the store for the command line and the crew page, read a few blocks at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway.buffer.care_changes import changes_after
from gateway.buffer.errors import BufferError
from gateway.buffer.store_reader import StoreReader
from protocols.clock_anchor import NO_ANCHORS, Anchors
from protocols.epcr.change import FieldChange
from protocols.epcr.device_holding import DeviceDecision, read_decision
from protocols.observation_record import ObservationRecord, records_of
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, decode_block

PAGE_BLOCKS = 32

CHANGES_READ_MAX = 50_000
"""Field changes of one care record that are read: ten times those of a long call."""
COMMIT_SLACK_US = 60_000_000
"""Time between the observation of a value and its commit that is allowed for: a batch is open for a second, and the
clock of a device may be corrected by some seconds."""

Read = Callable[..., Awaitable[Any]]
"""Type of a function that runs another one with its arguments on the reader's thread."""


class CareRecordTooLong(BufferError):
    """The care record has more changes than are read at once. Export it from the cloud."""

    def __init__(self) -> None:
        super().__init__(str(self.__doc__))


@dataclass(frozen=True, slots=True)
class CareRecordSpan:
    """The care record of an encounter in the store: times of its first and its latest change by the gateway's wall
    clock, and the number of its changes."""

    encounter: str
    first_us: int
    last_us: int
    changes: int


async def records(
    reader: StoreReader,
    read: Read,
    *,
    lane: Lane | None,
    device: str | None,
    since_us: int | None,
    limit: int,
    anchors: Anchors = NO_ANCHORS,
    after: int = 0,
) -> AsyncIterator[ObservationRecord]:
    """Yield up to `limit` records, lane by lane in the order of their sequence. `device` (a system id) and `since_us`
    (gateway's wall time of reception) select records; None selects all. `read` runs a function on the reader's thread.
    `anchors` determine the time of observations that were received while the gateway did not know the time. `after`:
    only batches above this sequence number of each lane."""
    left = limit
    for each in (lane,) if lane is not None else tuple(Lane):
        through = after
        while left > 0:
            page: list[list[ObservationRecord]]
            through, page = await read(_page, reader, each, through, device, since_us, anchors)
            for block in page:
                for record in block[:left]:
                    yield record
                left -= min(left, len(block))
            if not page:
                break


async def records_between(
    reader: StoreReader, read: Read, lane: Lane, since_us: int, until_us: int, anchors: Anchors = NO_ANCHORS
) -> AsyncIterator[ObservationRecord]:
    """Yield the records of a lane that were observed from `since_us` to `until_us`, in the order of their sequence.
    Only blocks of that time are read."""
    after = await read(reader.through_before, lane, since_us - COMMIT_SLACK_US)
    while True:
        page: list[list[ObservationRecord]]
        after, page = await read(_page, reader, lane, after, None, None, anchors)
        for block in page:
            for record in block:
                if since_us <= record.observed_at_us <= until_us:
                    yield record
        if not page or page[-1][0].received_at_us > until_us + COMMIT_SLACK_US:
            return


async def care_changes(reader: StoreReader, read: Read, encounter: str) -> list[FieldChange]:
    """Return the field changes of an encounter's care record, in the order in which they were stored. Raises
    `CareRecordTooLong` above `CHANGES_READ_MAX`."""
    found: list[FieldChange] = []
    async for page in _change_pages(reader, read):
        found += [change for change in page if change.encounter == encounter]
        if len(found) > CHANGES_READ_MAX:
            raise CareRecordTooLong
    return found


async def care_records(reader: StoreReader, read: Read) -> list[CareRecordSpan]:
    """Return the encounters that have a care record in the store, the one that was changed last at the end."""
    spans: dict[str, CareRecordSpan] = {}
    async for page in _change_pages(reader, read):
        for change in page:
            known = spans.pop(change.encounter, None)
            first_us = change.gateway_time_us if known is None else known.first_us
            count = 1 if known is None else known.changes + 1
            spans[change.encounter] = CareRecordSpan(change.encounter, first_us, change.gateway_time_us, count)
    return list(spans.values())


async def device_decisions(reader: StoreReader, read: Read) -> list[DeviceDecision]:
    """Return the decisions about which record the devices measure for, in the order in which they were stored."""
    found: list[DeviceDecision] = []
    async for page in _change_pages(reader, read):
        found += [decision for change in page if (decision := read_decision(change)) is not None]
    return found


async def _change_pages(reader: StoreReader, read: Read) -> AsyncIterator[list[FieldChange]]:
    sequence = 0
    while True:
        found: tuple[int, list[FieldChange]] = await read(changes_after, reader, sequence)
        after, changes = found
        if after == sequence:
            return
        sequence = after
        yield changes


def last_sections(reader: StoreReader, lane: Lane, last: int, blocks: int) -> list[DeviceObservations]:
    """Return the sections of the last `blocks` readable blocks of a lane that ends with the sequence number `last`."""
    found = reader.blocks(lane, after=max(0, last - blocks), since_us=None, limit=blocks)
    return [section for _, payload in found for section in decode_block(payload)]


async def events(
    reader: StoreReader, read: Read, *, device: str | None, since_us: int | None, limit: int
) -> AsyncIterator[tuple[int, GatewayEvent]]:
    """Yield up to `limit` pairs of sequence number and event, in order: only events of `device` (a system id), and only
    events committed at `since_us` or later by the wall clock. None sets no condition."""
    left, after = limit, 0
    while left > 0:
        page: list[tuple[int, GatewayEvent]]
        page = await read(_events_after, reader, after, since_us)
        for sequence, event in page:
            after = sequence
            if left > 0 and (device is None or event.device == device):
                yield sequence, event
                left -= 1
        if not page:
            return


def _events_after(reader: StoreReader, after: int, since_us: int | None) -> list[tuple[int, GatewayEvent]]:
    blocks = reader.blocks(Lane.EVENT, after=after, since_us=since_us, limit=PAGE_BLOCKS, kind=BatchKind.EVENT)
    return [(row.sequence, decode_event(payload)) for row, payload in blocks]


def _page(
    reader: StoreReader, lane: Lane, after: int, device: str | None, since_us: int | None, anchors: Anchors
) -> tuple[int, list[list[ObservationRecord]]]:
    blocks = reader.blocks(lane, after=after, since_us=since_us, limit=PAGE_BLOCKS)
    page = []
    for row, payload in blocks:
        after = row.through
        found = records_of(
            decode_block(payload),
            gateway=reader.about.gateway,
            epoch=reader.about.epoch,
            lane=lane,
            sequence=row.sequence,
            anchors=anchors,
        )
        page.append(
            [
                record
                for record in found
                if (device is None or record.device.system_id == device)
                and (since_us is None or record.received_at_us >= since_us)
            ]
        )
    return after, page
