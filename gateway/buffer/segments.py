"""Progress of fetching the PM-store segments of devices: written in one commit with the entries, read at start.

The entries of a segment and the fetch progress are durable together or not at all. So after a kill the gateway requests
exactly the entries that it does not hold. Entries without a time are recognised by their position in the segment,
because their content cannot distinguish them from new entries.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from gateway.buffer.statements import DEVICES
from gateway.buffer.store import Store
from protocols.ieee11073.association.fetched_segments import SEGMENTS_MAX, SegmentKey, SegmentProgress


class FetchedSegment(NamedTuple):
    """The fetch progress of one PM-store segment."""

    key: SegmentKey
    progress: SegmentProgress


def segments(connection: sqlite3.Connection) -> list[FetchedSegment]:
    return [
        FetchedSegment(SegmentKey(bytes.fromhex(row[0]), row[1], row[2]), SegmentProgress(row[3], row[4], row[5]))
        for row in connection.execute(DEVICES["fetched_segments"]).fetchall()
    ]


def write(store: Store, fetched: FetchedSegment) -> None:
    """Write `fetched`, the fetch progress of a PM-store segment, inside an open transaction."""
    (system_id, handle, segment), (identity, through, state) = fetched
    row = (system_id.hex(), handle, segment, identity, through, state, store.time.now_us())
    store.connection.execute(DEVICES["remember_segment"], row)
    store.connection.execute(DEVICES["trim_segments"], (SEGMENTS_MAX,))


def remember(store: Store, fetched: FetchedSegment) -> None:
    """Write `fetched`, the fetch progress of a PM-store segment, in a separate transaction."""
    with store.transaction():
        write(store, fetched)


def forget(store: Store, keys: Sequence[SegmentKey]) -> None:
    with store.transaction():
        for system_id, handle, segment in keys:
            store.connection.execute(DEVICES["forget_segment"], (system_id.hex(), handle, segment))
