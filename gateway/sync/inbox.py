"""The messages that one connection has received, for one task that reads them."""

import asyncio
from collections import deque
from dataclasses import dataclass

INBOUND_MAX = 256
"""Maximum of acknowledgements queued to be read. They are cumulative, so the oldest is dropped when there are more."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the broker, or this gateway's will. The broker publishes the will, retained, when the connection
    ends without a DISCONNECT."""

    topic: str
    payload: bytes


class Inbox:
    """A bounded queue of received messages. `ended` is the future of the connection's end; after it `receive` raises
    its error when the queue is empty."""

    def __init__(self, ended: asyncio.Future[None]) -> None:
        self._messages: deque[Message] = deque(maxlen=INBOUND_MAX)
        self._ended = ended
        self._receiver: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        """Add a message; drop the oldest one if there are `INBOUND_MAX`."""
        self._messages.append(message)
        self.wake()

    def wake(self) -> None:
        """Let `receive` look again, since a message has arrived or the connection has ended."""
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    async def receive(self) -> Message:
        """Wait for the next message and return it, for one task at a time. Raises the error of `ended`."""
        while not self._messages:
            if self._ended.done():
                self._ended.result()
            self._receiver = asyncio.get_running_loop().create_future()
            await self._receiver
        return self._messages.popleft()
