"""Run one association over one link: pass on received bytes, deliver events, and send the association's bytes.

The order guarantees durability. Only when `deliver` has reported the events of a receive as durable may the association
acknowledge a confirmed report. Bytes that depend on no event (an AARE, a Get, an abort) are sent before `deliver` is
called, so that a slow disk causes no time-out at the device. All events of one receive share one commit.

A link that breaks during a send loses no received bytes: they are still delivered. The caller opens and closes the
link.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from gateway.transports.clock import Clock, instant_of
from gateway.transports.link import AssociationEngine, Deliver, Direction, Link, Trace
from protocols.ieee11073.association.events import Event

log = structlog.get_logger(__name__)

SEND_LIMIT_S = 30.0
"""Time after which a peer that reads nothing counts as lost: 20601's own limits are ten seconds and less."""


class Nudge:
    """Waker of a pump that waits for bytes. Call it after another task has given the association something to send or
    an earlier deadline, for example by `association.release(now_s)`."""

    def __init__(self) -> None:
        self._due = False
        self._waiting: asyncio.Timeout | None = None

    def __call__(self) -> None:
        self._due = True
        if self._waiting is not None and not self._waiting.expired():
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def take(self) -> bool:
        """Return whether the pump was nudged (requested to wake up) since the previous call of `take`."""
        due, self._due = self._due, False
        return due

    @contextmanager
    def wakes(self, waiting: asyncio.Timeout) -> Iterator[None]:
        """Inside the block, make a nudge (a request to wake up) expire the timeout `waiting` at once."""
        self._waiting = waiting
        try:
            yield
        finally:
            self._waiting = None


async def pump(
    link: Link,
    association: AssociationEngine,
    deliver: Deliver,
    clock: Clock,
    trace: Trace | None = None,
    nudge: Nudge | None = None,
) -> bool:
    """Run until the association or the link has ended, and deliver all bytes that were received before the end.

    Return True if only the association has ended and the link still works, False if the link has ended. A manager's
    association never ends while the link works. If `deliver` raises an error, its events are first refused and the
    rejections sent; then the error is raised here.
    """
    return await _Pump(link, association, deliver, clock, trace, nudge or Nudge()).run()


class _Pump:
    def __init__(
        self,
        link: Link,
        association: AssociationEngine,
        deliver: Deliver,
        clock: Clock,
        trace: Trace | None,
        nudge: Nudge,
    ) -> None:
        self._link = link
        self._association = association
        self._deliver = deliver
        self._clock = clock
        self._trace = trace
        self._nudge = nudge
        self._sendable = True

    async def run(self) -> bool:
        await self._send()
        while not self._association.closed and self._sendable:
            data = await self._wait()
            now_s = self._clock.monotonic_s()
            if data is None:
                events = self._association.expire(now_s)
            else:
                self._note("received", data, now_s)
                events = self._association.receive(data, now_s)
            await self._handle(events)
            if data == b"":
                return False
        if not self._association.closed:
            await self._drain()
        return self._sendable

    async def _wait(self) -> bytes | None:
        """Return the received bytes (b"" at the link's end), or None at the association's deadline or after a nudge."""
        if self._nudge.take():
            return None
        try:
            async with self._clock.timeout_at(self._association.deadline_s), asyncio.timeout(None) as waiting:
                with self._nudge.wakes(waiting):
                    return await self._link.receive()
        except TimeoutError:
            self._nudge.take()
            return None

    async def _drain(self) -> None:
        """Deliver the bytes that the link received before it broke, then end the association."""
        data = b"more"
        while data and not self._association.closed:
            data = await self._received_already()
            now_s = self._clock.monotonic_s()
            self._note("received", data, now_s)
            await self._handle(self._association.receive(data, now_s))

    async def _received_already(self) -> bytes:
        try:
            async with asyncio.timeout(0):
                return await self._link.receive()
        except TimeoutError:
            return b""

    async def _handle(self, events: Sequence[Event]) -> None:
        await self._send()
        if not events:
            return
        try:
            verdicts = await self._deliver(events, instant_of(self._clock))
            assert len(verdicts) == len(events), "one verdict an event"
        except Exception:
            for event in events:
                self._association.refused(event)
            await self._send()
            raise
        for event, durable in zip(events, verdicts, strict=True):
            if durable:
                self._association.delivered(event)
            else:
                self._association.refused(event)
        await self._send()

    async def _send(self) -> None:
        data = self._association.to_send()
        if not data or not self._sendable:
            return
        self._note("sent", data, self._clock.monotonic_s())
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + SEND_LIMIT_S):
                await self._link.send(data)
        except (ConnectionError, TimeoutError) as error:
            self._sendable = False
            log.info("link.send_failed", link=self._link.name, reason=type(error).__name__)

    def _note(self, direction: Direction, data: bytes, at_s: float) -> None:
        if self._trace is not None and data:
            self._trace.trace(direction, data, at_s)
