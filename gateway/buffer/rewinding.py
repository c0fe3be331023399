"""Sets the cloud's mark back, for a cloud that was restored from an earlier copy.

Everything above its mark is unacknowledged again and is resent. What retention dropped in the meantime stood behind the
mark as gap records that cost nothing. Now they are losses of the cloud, so each is marked as a loss.
"""

from dataclasses import replace

from gateway.buffer.gaps import gap_rows, stand_in
from gateway.buffer.store import Store
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane


def rewind(store: Store, lane: Lane, through: int) -> None:
    """Set the mark of `lane` back to `through`, and mark as lost what the gateway cannot send again."""
    head = store.heads[lane]
    if through >= head.acked:
        return
    acked = head.acked
    store.set_acked(lane, through)
    try:
        with store.transaction():
            for found in gap_rows(store, lane):
                if found.row.through > through and found.gap.why is GapReason.RETENTION:
                    stand_in(store, replace(found.gap, why=GapReason.CLOUD_RESTORED), found.row)
    except BaseException:
        store.set_acked(lane, acked)
        raise


def write_marks(store: Store) -> None:
    """Write the acknowledgements in memory to the file."""
    if store.acks_unwritten:
        with store.transaction():
            pass  # a transaction always writes the marks too
