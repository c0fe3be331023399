"""The far end of a cable that outlives the device on it: closing it removes the device and leaves the cable."""

from gateway.transports.link import Link


class SharedLine:
    """A `Link` for one device after the other."""

    is_line = True

    def __init__(self, line: Link) -> None:
        self._line = line
        self.name = line.name

    async def receive(self) -> bytes:
        return await self._line.receive()

    async def send(self, data: bytes) -> None:
        await self._line.send(data)

    async def close(self) -> None:
        """Leave the cable as it is."""
