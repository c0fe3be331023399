"""The seams of a link: an ordered stream of bytes to one device, where links come from, and what runs over them.

Everything that carries bytes (TCP, a serial port, a pseudo-terminal, later BLE) is a `Link`, for the manager and for
simulated agents alike, so that `pump` is written once. An association is typed here as the pump sees it: bytes and
time in, events and bytes out.

Does not decide when to connect again (the supervisor) nor what an event means (the session).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from gateway.transports.clock import Instant
from protocols.ieee11073.association.events import Event

RECEIVE_BYTES_MAX = 65_536
"""The most that one `receive` returns. The longest APDU is 64512 bytes (20601 §3), so this holds one of them whole."""

Direction = Literal["received", "sent"]


class Link(Protocol):
    """One connection to one device. `name` says which one, for logs: an address or a path, never patient data."""

    @property
    def name(self) -> str: ...

    @property
    def is_line(self) -> bool:
        """True: a cable that stays whichever device is on it. Closing it is not seen by the other end, and opening it
        again loses what was on its way, so it carries one association after the other. False: a connection that the
        other end opens again."""

    async def receive(self) -> bytes:
        """The next bytes, at most RECEIVE_BYTES_MAX; b"" for ever when the link has ended, for whatever reason.

        Safe to cancel: bytes not returned are returned by the next call. One caller at a time.
        """

    async def send(self, data: bytes) -> None:
        """Return when the bytes are on their way, waiting while the peer does not take them.

        Raises ConnectionError when the link has ended. A cancelled send may have sent a part: close the link then.
        """

    async def close(self) -> None:
        """End the link; bytes already taken by `send` still leave if the peer takes them soon. May be called again."""


class LinkSource(Protocol):
    """A source of links: a listener that accepts, or a port that is reopened."""

    @property
    def name(self) -> str: ...

    async def accept(self) -> Link:
        """The next link; waits, with bounded backoff, while there is none. Safe to cancel.

        Raises OSError where waiting cannot help (an address that is taken) and ConnectionError after `close`.
        """

    async def close(self) -> None:
        """Stop offering links. Links already handed out stay open."""


class AssociationEngine(Protocol):
    """A conversation without I/O, manager or agent (protocols.ieee11073.association), as the pump drives it."""

    @property
    def closed(self) -> bool: ...

    @property
    def deadline_s(self) -> float | None: ...

    def receive(self, data: bytes, now_s: float) -> Sequence[Event]: ...

    def expire(self, now_s: float) -> Sequence[Event]: ...

    def to_send(self) -> bytes:
        """The bytes to write now; b"" when there are none. Each byte is handed out once."""

    def delivered(self, event: Event) -> None:
        """The event is durable: a confirmed report may be answered now. Nothing happens for other events."""

    def refused(self, event: Event) -> None:
        """The event could not be stored: a confirmed report is answered with RORJ resource-limitation."""


Deliver: TypeAlias = Callable[[Sequence[Event], Instant], Awaitable[Sequence[bool]]]
"""Takes all events of one receive; returns when they are durable, with one verdict an event, in order.

True: durable. False: refused, the store cannot take it. An event that needs no storing is True.
"""


class Trace(Protocol):
    """Sees every byte that crosses a link, both ways, in order."""

    def trace(self, direction: Direction, data: bytes, at_s: float) -> None:
        """`at_s` is monotonic. Must be quick and must not raise: it stands between a device and its answer."""
