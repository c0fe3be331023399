"""Blocks that a restored older copy of a store received since it was opened, carried over into the next epoch.

The cloud cannot have them: it holds other batches under the same numbers.
"""

from gateway.buffer.blocks import Block
from gateway.buffer.open_store import OpenStore
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import decode_gap

CARRIED_BYTES_MAX = 64 << 20
"""Upper bound on the bytes that are carried over in memory from an older copy of a store: more than an hour of full
monitoring. A gateway reaches the cloud long before that. Further blocks stay in the set-aside store, whose record
reports it."""


def blocks_since_opening(store: OpenStore) -> list[Block]:
    """Return the blocks that the writer committed since the store was opened, oldest first within a lane, without gap
    records."""
    blocks: list[Block] = []
    carried_bytes = 0
    for lane, after in store.last_at_opening.items():
        while carried_bytes < CARRIED_BYTES_MAX:
            batches, _ = store.reader.next_batches(
                lane, after=after, last=store.writer.marks[lane].last, limit_batches=64, limit_bytes=1 << 20
            )
            if not batches:
                break
            for batch in batches:
                after = batch.sequence
                if batch.kind is not BatchKind.GAP:
                    blocks.append(Block(lane, batch.kind, batch.count, batch.payload))
                    carried_bytes += len(batch.payload)
                else:
                    after = decode_gap(batch.payload).through_sequence
    return blocks
