"""Interfaces of a link (an ordered stream of bytes to one device), a source of links, and the association over a link.

Everything that carries a stream of APDUs (TCP, a serial port, a pseudo-terminal) is a `Link`, for the manager and for
simulated agents alike, so that `pump` is written once. The supervisor decides when to connect again, and the session
what an event means.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from gateway.transports.clock import Instant
from protocols.ieee11073.association.events import Event

RECEIVE_BYTES_MAX = 65_536
"""Maximum number of bytes that one `receive` returns: the longest APDU is 64512 bytes (20601 §3)."""

Direction = Literal["received", "sent"]


class Link(Protocol):
    """One connection to one device. `name` identifies it in logs: an address or a path, never patient data."""

    @property
    def name(self) -> str: ...

    @property
    def is_line(self) -> bool:
        """True for a serial line, which stays open when another device is attached to it, because reopening loses bytes
        in transit. So one link carries successive associations. False for a connection that the device opens again for
        each association."""

    async def receive(self) -> bytes:
        """Return the next bytes, at most RECEIVE_BYTES_MAX; b"" at every call once the link has ended. A cancelled call
        loses no bytes. Only one caller at a time."""

    async def send(self, data: bytes) -> None:
        """Send bytes. Return when the operating system has accepted them; block while the peer does not read. Raises
        ConnectionError when the link has ended. After a cancelled call, which may have sent a part, close the link."""

    async def close(self) -> None:
        """End the link; bytes accepted by `send` are still sent if the peer reads soon. Repeated calls do nothing."""


class LinkSource(Protocol):
    """A source of links: a listener that accepts connections, or a serial port that is opened again and again."""

    @property
    def name(self) -> str: ...

    async def accept(self) -> Link:
        """Wait for the next link. Retries are spaced by a bounded backoff. Cancel-safe. Raises OSError where a retry
        cannot help (an address in use), and ConnectionError after `close`."""

    async def close(self) -> None:
        """Stop returning links. Links returned earlier stay open."""


class AssociationEngine(Protocol):
    """An association without I/O, as manager or agent: bytes and times in, events and bytes out."""

    @property
    def closed(self) -> bool: ...

    @property
    def deadline_s(self) -> float | None: ...

    def receive(self, data: bytes, now_s: float) -> Sequence[Event]: ...

    def expire(self, now_s: float) -> Sequence[Event]: ...

    def to_send(self) -> bytes:
        """Return the bytes to send now; b"" for none. Each byte is returned once."""

    def delivered(self, event: Event) -> None:
        """Report that the event is durable, so that a confirmed report is acknowledged; no effect for other events."""

    def refused(self, event: Event) -> None:
        """Report that the event is not stored, so that a confirmed report is rejected (RORJ resource-limitation)."""


Deliver: TypeAlias = Callable[[Sequence[Event], Instant], Awaitable[Sequence[bool]]]
"""Function that stores all events of one receive. It returns one verdict per event, in order: True when the event is
durable or needs no storing, False when the store cannot take it."""


class Trace(Protocol):
    """Observer of every byte that a link receives or sends, in order."""

    def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
        """Record bytes that crossed the link at monotonic `at_s`. Must not raise, and must be quick, because the device
        waits for its response."""
