"""The acknowledgement that says what the cloud holds of a lane.

Made from the marks as committed, never from a batch: a second copy, a batch out of order and a question at connect
all get the same answer, and the latest one is always the whole truth.
"""

from cloud.vehicles.custody import FIRST_SEQUENCE, LaneMarks
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane


def ack_of(epoch: str, lane: Lane, marks: LaneMarks, *, contested: bool, through_hash: bytes | None = None) -> Ack:
    """`contested`: another batch of a held sequence has been seen, now or before. `through_hash` is the chain hash
    behind the mark: it lets a gateway see that both speak of one history."""
    held = [(FIRST_SEQUENCE, marks.through)] if marks.through >= FIRST_SEQUENCE else []
    return Ack.of_ranges(epoch, lane, [*held, *marks.ahead], conflict=contested, through_hash=through_hash)
