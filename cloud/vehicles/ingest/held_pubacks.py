"""The messages whose PUBACK is held back while the queue of ingest is full, in the order of their arrival.

Held back, a message keeps its place in the broker's window, so the window takes up a short stall. Not the whole window:
the broker would stop sending, and events would wait behind live batches, or be dropped, since mosquitto queues a
thousand messages for one client. So a part of the window stays free.
"""

from collections import deque

from protocols.uplink.mqtt_packets import ReceivedMessage

FREE_PART = 8
"""One of so many places of the window, and of so many bytes, stays free for events, care records and statuses."""


class HeldPubacks:
    """The messages without a PUBACK, of a window of `messages_max` messages and `bytes_max` bytes."""

    def __init__(self, *, messages_max: int, bytes_max: int) -> None:
        self._messages_max = messages_max - max(1, messages_max // FREE_PART)
        self._bytes_max = bytes_max - bytes_max // FREE_PART
        self._messages: deque[ReceivedMessage] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    @property
    def is_full(self) -> bool:
        """True when a further message would take the free part of the window."""
        return len(self._messages) >= self._messages_max or self._bytes >= self._bytes_max

    @property
    def is_over(self) -> bool:
        """True when a message takes the free part of the window: the oldest one has to get its PUBACK."""
        return len(self._messages) > self._messages_max or self._bytes > self._bytes_max

    def add(self, message: ReceivedMessage) -> None:
        self._messages.append(message)
        self._bytes += len(message.payload)

    def pop(self) -> ReceivedMessage:
        """Remove and return the oldest message. MQTT requires PUBACKs in the order of the messages."""
        message = self._messages.popleft()
        self._bytes -= len(message.payload)
        return message

    def clear(self) -> None:
        self._messages.clear()
        self._bytes = 0
