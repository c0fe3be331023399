"""Observations and events of the store for the command line and the crew page, read a few blocks at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from gateway.buffer.store_reader import StoreReader
from protocols.clock_anchor import NO_ANCHORS, Anchors
from protocols.observation_record import ObservationRecord, records_of
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, decode_block

PAGE_BLOCKS = 32

Read = Callable[..., Awaitable[Any]]
"""Type of a function that runs another one with its arguments on the reader's thread."""


async def records(
    reader: StoreReader,
    read: Read,
    *,
    lane: Lane | None,
    device: str | None,
    since_us: int | None,
    limit: int,
    anchors: Anchors = NO_ANCHORS,
) -> AsyncIterator[ObservationRecord]:
    """Yield up to `limit` records, lane by lane in the order of their sequence. `device` (a system id) and `since_us`
    (gateway's wall time of reception) select records; None selects all. `read` runs a function on the reader's thread.
    `anchors` determine the time of observations that were received while the gateway did not know the time."""
    left = limit
    for each in (lane,) if lane is not None else tuple(Lane):
        after = 0
        while left > 0:
            page: list[list[ObservationRecord]]
            after, page = await read(_page, reader, each, after, device, since_us, anchors)
            for block in page:
                for record in block[:left]:
                    yield record
                left -= min(left, len(block))
            if not page:
                break


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
