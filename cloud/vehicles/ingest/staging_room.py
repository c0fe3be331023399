"""The room for staged batches: in total, and for each gateway a share of it.

What finds no room is written at once, at several times the cost. A gateway that sends batches without end, each of some
hundred bytes that unpack to 65,536 rows, would otherwise take all the room, and make the batches of the others cost as
much.
"""

from typing import NamedTuple

from cloud.vehicles.fleet import GatewayName

SHARES = 4
"""Gateways that can fill the room together."""


class Share(NamedTuple):
    """The room of one gateway: envelope bytes, rows of numerics, and batches. With as much or more it has none left."""

    bytes_max: int
    rows_max: int
    batches_max: int


class StagingRoom:
    """The sums of the batches in one place. Plain integers, since they are counted for each batch several times."""

    def __init__(self) -> None:
        self.bytes = self.rows = self.batches = 0
        self._of: dict[GatewayName, list[int]] = {}
        """Bytes, rows and batches of each gateway."""

    def has_room(self, name: GatewayName, share: Share) -> bool:
        """Return whether a gateway may use more of the room, of which `share` is one of `SHARES` parts."""
        if self.is_above(share, SHARES):
            return False
        own = self._of.get(name)
        return own is None or (own[0] < share.bytes_max and own[1] < share.rows_max and own[2] < share.batches_max)

    def is_above(self, share: Share, shares: int = 1) -> bool:
        """Return whether all batches together use this many shares or more."""
        return (
            self.bytes >= shares * share.bytes_max
            or self.rows >= shares * share.rows_max
            or self.batches >= shares * share.batches_max
        )

    def add(self, name: GatewayName, size_bytes: int, rows: int) -> None:
        self.bytes += size_bytes
        self.rows += rows
        self.batches += 1
        own = self._of.setdefault(name, [0, 0, 0])
        own[0] += size_bytes
        own[1] += rows
        own[2] += 1

    def remove(self, name: GatewayName, size_bytes: int, rows: int) -> None:
        self.bytes -= size_bytes
        self.rows -= rows
        self.batches -= 1
        own = self._of[name]
        own[0] -= size_bytes
        own[1] -= rows
        own[2] -= 1
        if not own[2]:
            del self._of[name]
