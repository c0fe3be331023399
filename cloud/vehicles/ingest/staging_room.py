"""The room for staged batches: in total, and for each gateway a share of it.

What finds no room is written at once, at several times the cost. A gateway that sends batches without end, each of some
hundred bytes that unpack to 65,536 rows, would otherwise take all the room, and make the batches of the others cost as
much. Several such gateways together leave a part of the room to those that use little of it, since the batches of all
vehicles wait while there is none.
"""

from typing import NamedTuple

from cloud.vehicles.fleet import GatewayName

SHARES = 4
"""The room as a multiple of the share of one gateway."""
LARGE_SHARES = 2
"""The part of the room above which only gateways that use little get more of it, as a multiple of the share. It is half
of the room, since the last batch below it may have as many rows as a share."""
SMALL_PARTS = 16
"""A gateway uses little if it has at most this part of its share: one sixteenth, or 4,000 numerics. If a thousand
vehicles fill the room, each has some hundred."""


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

    def has_room(self, name: GatewayName, share: Share, size_bytes: int, rows: int) -> bool:
        """Return whether there is room for one more batch of a gateway, of which `share` is one of `SHARES` parts."""
        own = self._of.get(name, (0, 0, 0))
        if (
            SMALL_PARTS * (own[0] + size_bytes) <= share.bytes_max
            and SMALL_PARTS * (own[1] + rows) <= share.rows_max
            and SMALL_PARTS * (own[2] + 1) <= share.batches_max
        ):
            return not self.is_above(share, SHARES)
        return (
            own[0] < share.bytes_max
            and own[1] < share.rows_max
            and own[2] < share.batches_max
            and not self.is_above(share, LARGE_SHARES)
        )

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
