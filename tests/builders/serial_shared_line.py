"""The far end of a serial cable that several devices use, one after another. Closing the end removes the device, but
not the cable.
"""

from gateway.transports.link import Link


class SharedLine:
    """A `Link` over a cable, which one device after another can use."""

    is_line = True

    def __init__(self, line: Link) -> None:
        self._line = line
        self.name = line.name

    async def receive(self) -> bytes:
        return await self._line.receive()

    async def send(self, data: bytes) -> None:
        await self._line.send(data)

    async def close(self) -> None:
        """Do nothing: the cable stays open for the next device."""
