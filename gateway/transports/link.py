"""Interfaces of a link: an ordered stream of bytes to one device, the source of links, and the association over one.

Everything that carries bytes (TCP, a serial port, a pseudo-terminal, later BLE) is a `Link`, for the manager and for
simulated agents alike, so that `pump` is written once. An association is typed here as the pump sees it: bytes and time
in, events and bytes out.

The supervisor decides when to connect again, and the session what an event means.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from gateway.transports.clock import Instant
from protocols.ieee11073.association.events import Event

RECEIVE_BYTES_MAX = 65_536
"""Maximum of bytes that one `receive` returns. The longest APDU is 64512 bytes (20601 §3), so this holds one of them
whole."""

Direction = Literal["received", "sent"]


class Link(Protocol):
    """One connection to one device. `name` identifies it in logs: an address or a path, never patient data."""

    @property
    def name(self) -> str: ...

    @property
    def is_line(self) -> bool:
        """True for a cable, which stays whichever device is on it. The other end does not see it close, and reopening
        it loses the bytes in transit, so it carries one association after the other. False for a connection, which the
        other end opens again."""

    async def receive(self) -> bytes:
        """Return the next bytes, at most RECEIVE_BYTES_MAX; b"" for ever when the link has ended, for whatever reason.

        Safe to cancel: bytes not returned are returned by the next call. One caller at a time.
        """

    async def send(self, data: bytes) -> None:
        """Send bytes. Return when they were handed to the system; block while the peer does not read.

        Raises ConnectionError when the link has ended. A cancelled send may have sent a part: close the link then.
        """

    async def close(self) -> None:
        """End the link. Bytes already accepted by `send` are still sent if the peer reads them soon. May be called
        again."""


class LinkSource(Protocol):
    """A source of links: a listener that accepts, or a port that is reopened."""

    @property
    def name(self) -> str: ...

    async def accept(self) -> Link:
        """Return the next link; block, with bounded backoff, while there is none. Safe to cancel.

        Raises OSError where a wait cannot help (an address that is taken) and ConnectionError after `close`.
        """

    async def close(self) -> None:
        """Stop offering links. Links already returned stay open."""


class AssociationEngine(Protocol):
    """A conversation without I/O, manager or agent (protocols.ieee11073.association), as the pump drives it."""

    @property
    def closed(self) -> bool: ...

    @property
    def deadline_s(self) -> float | None: ...

    def receive(self, data: bytes, now_s: float) -> Sequence[Event]: ...

    def expire(self, now_s: float) -> Sequence[Event]: ...

    def to_send(self) -> bytes:
        """Return the bytes to write now; b"" when there are none. Each byte is returned once."""

    def delivered(self, event: Event) -> None:
        """Note that the event is durable: a confirmed report may be acknowledged now. Other events have no effect."""

    def refused(self, event: Event) -> None:
        """Note that the event could not be stored: a confirmed report is rejected with RORJ resource-limitation."""


Deliver: TypeAlias = Callable[[Sequence[Event], Instant], Awaitable[Sequence[bool]]]
"""Function that stores all events of one receive. It returns when they are durable, with one verdict per event, in
order.

True: durable. False: refused, the store cannot take it. An event that needs no storing is True.
"""


class Trace(Protocol):
    """Observer of every byte that crosses a link, both ways, in order."""

    def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
        """Trace bytes. `at_s` is monotonic. Must be quick and must not raise: a device waits for its response
        meanwhile."""
