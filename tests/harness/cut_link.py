"""A device's link that is cut after a number of bytes in one direction, as when a plug is pulled in mid-message."""

from dataclasses import dataclass
from typing import Literal

from gateway.transports.link import Link

Way = Literal["to_manager", "to_device"]


@dataclass(frozen=True, slots=True)
class Cut:
    """The direction in which bytes are counted, and the number of bytes that pass before the link is cut."""

    way: Way
    after_octets: int


class CutLink:
    """A wrapper of the device's end of a link, which closes the link after the number of bytes that `cut` names.

    With a cut in the direction `to_device`, the manager has also sent the bytes after the cut; the device never
    receives them.
    """

    def __init__(self, link: Link, cut: Cut) -> None:
        self._link = link
        self._cut = cut
        self.octets = 0
        """Number of bytes so far in the direction of the cut."""
        self.is_cut = False

    @property
    def name(self) -> str:
        return self._link.name

    @property
    def is_line(self) -> bool:
        return self._link.is_line

    async def receive(self) -> bytes:
        data = b"" if self.is_cut else await self._link.receive()
        return await self._kept(data) if self._cut.way == "to_device" else data

    async def send(self, data: bytes) -> None:
        if self.is_cut:
            raise ConnectionResetError("the link was cut")
        kept = await self._kept(data, close=False) if self._cut.way == "to_manager" else data
        if kept:
            await self._link.send(kept)
        if self.is_cut:
            await self._link.close()

    async def close(self) -> None:
        await self._link.close()

    async def _kept(self, data: bytes, *, close: bool = True) -> bytes:
        kept = data[: max(0, self._cut.after_octets - self.octets)]
        self.octets += len(data)
        if self.octets > self._cut.after_octets:
            self.is_cut = True
            if close:
                await self._link.close()
        return kept
