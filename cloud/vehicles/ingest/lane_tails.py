"""The ends of the lanes that this process writes, by which it decides which live batches it may stage.

A batch is staged only if nothing about it needs the database: it follows the last batch of its lane in number and in
the hash chain, by the same gateway in the same vehicle, and its devices are known from earlier batches of the lane. All
other batches are written at once, among them the first of each lane after a start. The head of the payload is enough to
decide; should the rest of it be unreadable, the batch is stored without rows like any other.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cloud.clinical.observations import ObservationColumns
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink.block_runs import BlockHead
from protocols.uplink.channels import DeviceRef

UNKNOWN = -1
"""The end of a lane in place of a sequence number: no batch follows it."""
LANES_MAX = 20_000
"""Lanes whose ends are cached: those of ten thousand vehicles."""
RECENT_MAX = 16
"""Batches of a lane whose hashes are kept. A gateway sends the oldest ones again that it has no acknowledgement for, as
many as it sends in the time until it does so."""
DEVICES_MAX = 64
"""Known devices of a lane. A vehicle carries a few."""


@dataclass(slots=True)
class _Tail:
    """The end of a lane: the last sequence number and the chain hash of its batch. `devices` are those of batches whose
    rows are written; they stay known while the end is not (`through` is `UNKNOWN`)."""

    through: int
    hash: bytes
    carried_by: tuple[str, str, bytes]
    devices: set[DeviceRef] = field(default_factory=set)
    recent: dict[int, bytes] = field(default_factory=dict)
    """The chain hashes of the last batches by their sequence numbers."""


class LaneTails:
    """A cache of the ends of lanes (numbered streams of batches)."""

    def __init__(self) -> None:
        self._tails: OrderedDict[LaneKey, _Tail] = OrderedDict()

    def add(self, one: Opened) -> bool:
        """Add a batch to the end of its lane. Return False if it must be written at once."""
        tail = self._tails.get(one.lane_key)
        head = one.content
        if (
            tail is None
            or one.envelope.historical
            or not isinstance(head, BlockHead)
            or head.stored  # a repetition is recognised by its row
            or one.batch.sequence != tail.through + 1
            or one.batch.previous_hash != tail.hash
            or _carried_by(one) != tail.carried_by
            or not tail.devices.issuperset(head.devices)
        ):
            return False
        tail.through, tail.hash = one.batch.sequence, one.hash
        tail.recent[tail.through] = tail.hash
        if len(tail.recent) > RECENT_MAX:
            del tail.recent[next(iter(tail.recent))]
        return True

    def has(self, one: Opened) -> bool:
        """Return whether a batch is one of the last that were added to its lane, whose end is known."""
        tail = self._tails.get(one.lane_key)
        return tail is not None and tail.through != UNKNOWN and tail.recent.get(one.batch.sequence) == one.hash

    def end(self, key: LaneKey) -> tuple[int, bytes] | None:
        """Return the sequence number and the chain hash of the last batch of a lane, None if its end is not known."""
        tail = self._tails.get(key)
        return None if tail is None or tail.through == UNKNOWN else (tail.through, tail.hash)

    def knows(self, key: LaneKey) -> bool:
        """Return whether the end of a lane is known: all batches up to it are durable."""
        return self.end(key) is not None

    def forget(self, keys: Iterable[LaneKey]) -> None:
        """Let the next batches of these lanes be written at once."""
        for key in keys:
            if key in self._tails:
                self._tails[key].through = UNKNOWN

    def learn(self, written: Sequence[Opened], acks: Sequence[DueAck]) -> None:
        """Note the ends of lanes from batches that were written, and the acknowledgements for them. A lane with missing
        or contested batches is left out."""
        # The last one of each lane: in a group that was divided, those before it do not list what is missing since.
        ends = {(due.tenant_id, due.gateway_id, due.ack.epoch, due.ack.lane): due.ack for due in acks}
        for one in written:
            key = one.lane_key
            ack = ends.get((key.tenant_id, key.gateway_id, key.epoch, key.lane))
            known = self._tails.pop(key, None)
            if ack is None or ack.missing or ack.conflict or ack.through_hash is None:
                continue
            if not isinstance(one.content, ObservationColumns):
                continue
            tail = _Tail(ack.through_sequence, ack.through_hash, _carried_by(one))
            tail.recent[tail.through] = tail.hash
            if known is not None and known.carried_by == tail.carried_by and len(known.devices) < DEVICES_MAX:
                tail.devices = known.devices
            tail.devices.update(one.content.sources)
            self._tails[key] = tail
        while len(self._tails) > LANES_MAX:
            self._tails.popitem(last=False)


def _carried_by(one: Opened) -> tuple[str, str, bytes]:
    gateway = one.gateway
    return gateway.organization_id, gateway.vehicle_id, gateway.public_key
