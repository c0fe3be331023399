"""The gateways of which this process knows that no other one has staged batches.

With mosquitto a process is notified when gateways may have moved (`shared_gateways`), and all lanes of a gateway are in
one process. RabbitMQ gives a queue to another process, and back, without a sign to either, and the lanes of one gateway
are in different queues. So there a live batch also has to follow those of its lane that this process has received: one
further on may be behind batches that another process has staged.
"""

from collections import OrderedDict
from collections.abc import Iterable

from cloud.vehicles.custody import FIRST_SEQUENCE, LaneKey
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.opening import Opened

GATEWAYS_MAX = 20_000
"""Gateways whose names are cached."""
LANES_MAX = 2 * GATEWAYS_MAX
"""Lanes whose last batches are cached: numerics and waveforms of each gateway."""


class SettledGateways:
    """A cache of the gateways whose batches all came to this process, or have rows since they came to another one.
    `moves` is the number of times at which gateways may have moved among the processes. `lanes_move`: lanes may move
    without a call of `forget`."""

    def __init__(self, *, lanes_move: bool = False) -> None:
        self._lanes_move = lanes_move
        self._names: set[GatewayName] = set()
        self._last: OrderedDict[LaneKey, int] = OrderedDict()
        """The highest sequence number of each lane that was received here behind all others, if `lanes_move`."""
        self.moves = 0

    def __contains__(self, name: GatewayName) -> bool:
        return name in self._names

    def receive(self, one: Opened) -> bool:
        """Return whether no other process has staged batches before this one, and note that it was received."""
        if not self._lanes_move:
            return one.gateway_name in self._names
        last = self._last.get(one.lane_key, FIRST_SEQUENCE - 1)
        if one.batch.sequence > last + 1:
            return False
        self._note(one)
        return True

    def add(self, names: Iterable[GatewayName], moves: int) -> None:
        """Note that no other process has staged batches of these gateways, unless they may have moved since `moves`
        was read."""
        if moves != self.moves:
            return
        if len(self._names) >= GATEWAYS_MAX:
            self._names.clear()
        self._names.update(names)

    def add_received(self, batches: Iterable[Opened], moves: int) -> None:
        """Note the same, as `add`, of batches that have been received and are in the order of their lanes."""
        if self._lanes_move and moves == self.moves:
            for one in batches:
                self._note(one)

    def forget(self) -> None:
        """Note that gateways may have moved to or from other processes."""
        self.moves += 1
        self._names.clear()
        self._last.clear()

    def _note(self, one: Opened) -> None:
        key = one.lane_key
        self._last[key] = max(one.batch.sequence, self._last.get(key, 0))
        self._last.move_to_end(key)
        if len(self._last) > LANES_MAX:
            self._last.popitem(last=False)
