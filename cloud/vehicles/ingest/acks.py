"""Build the acknowledgement of a lane: the sequence numbers that the cloud holds.

It is built from the lane's stored marks, not from the batch that arrived. So a duplicate, a batch out of order and a
status at connect all get the same acknowledgement, and the latest one is always complete.
"""

from cloud.vehicles.custody import FIRST_SEQUENCE, LaneMarks
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane


def ack_of(epoch: str, lane: Lane, marks: LaneMarks, *, contested: bool, through_hash: bytes | None = None) -> Ack:
    """Return the acknowledgement of a lane.

    `contested`: another batch with a held sequence number has arrived, now or earlier. `through_hash` is the chain hash
    at `marks.through`, by which the gateway verifies that its history and the cloud's are the same; None when it is not
    known.
    """
    held = [(FIRST_SEQUENCE, marks.through)] if marks.through >= FIRST_SEQUENCE else []
    return Ack.of_ranges(epoch, lane, [*held, *marks.ahead], conflict=contested, through_hash=through_hash)
