"""Build the acknowledgement of a lane (a numbered stream of a gateway's batches): the sequence numbers that the cloud
holds.

An acknowledgement is built from the lane's stored marks, not from the batch that arrived. So a duplicate, a batch out
of order and a status at connect all get the same acknowledgement, and the latest one is always complete.
"""

from cloud.vehicles.custody import FIRST_SEQUENCE, LaneMarks
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane


def ack_of(epoch: str, lane: Lane, marks: LaneMarks, *, contested: bool, through_hash: bytes | None = None) -> Ack:
    """Return the acknowledgement of a lane (numbered stream of batches). `contested`: two different batches with the
    same sequence number have arrived. The gateway compares its history with `through_hash`, the chain hash at
    `marks.through` (None: not known)."""
    held = [(FIRST_SEQUENCE, marks.through)] if marks.through >= FIRST_SEQUENCE else []
    return Ack.of_ranges(epoch, lane, [*held, *marks.ahead], conflict=contested, through_hash=through_hash)
