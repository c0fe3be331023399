"""Build the acknowledgement with the sequences that the cloud holds of a lane.

It is made from the committed marks, never from a batch. A duplicate, a batch out of order and a status at connect all
get the same acknowledgement, and the latest one is always complete.
"""

from cloud.vehicles.custody import FIRST_SEQUENCE, LaneMarks
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane


def ack_of(epoch: str, lane: Lane, marks: LaneMarks, *, contested: bool, through_hash: bytes | None = None) -> Ack:
    """Return the acknowledgement of a lane.

    `contested`: another batch of a held sequence has arrived, now or earlier. `through_hash` is the chain hash at the
    mark, with which a gateway verifies that both have the same history.
    """
    held = [(FIRST_SEQUENCE, marks.through)] if marks.through >= FIRST_SEQUENCE else []
    return Ack.of_ranges(epoch, lane, [*held, *marks.ahead], conflict=contested, through_hash=through_hash)
