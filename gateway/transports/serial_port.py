"""Links over a serial port: open and configure the port, and reopen it after the cable or the device disappeared.

The port is locked: two readers would each get half of every APDU.

**Reopening** needs no restart of the gateway. An absent port, or one whose link hung up after it had received bytes, is
retried at least every RETURN_PAUSE_S_MAX, because a crew that plugs in a monitor expects it to connect. Any other port
is retried at growing intervals, or a broken adapter would keep the loop busy. The configured name is resolved at each
opening, so a udev name finds the device at its present node. The reason that a port does not open (`port_trouble`) is
logged once per reason, not at every retry.

Bytes that a port received before it was opened are kept: they may be an association request, which the device would
repeat only after seconds.

A pseudo-terminal works like any other port; it ignores speed and modem lines. `line_watch` of the sessions detects
undecodable bytes (a wrong baud) and a name that points to another port than the open one.
"""

import asyncio
import os
import termios
from collections.abc import Coroutine
from functools import partial
from typing import Final, Literal

import serial
import structlog

from gateway.transports.clock import Clock, SystemClock
from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.hdlc_link import HdlcLink
from gateway.transports.link import Link
from gateway.transports.port_trouble import PortTrouble, TroubleKind, trouble_of
from protocols.waits import GrowingWait

log = structlog.get_logger(__name__)

Framing = Literal["raw", "hdlc"]

FIRST_PAUSE_S = 0.25
RETURN_PAUSE_S_MAX = 1.0
"""Longest pause where a device may return at any moment: an absent port, or one whose device sent and hung up."""
LAST_PAUSE_S = 8.0
"""Longest pause otherwise. Pauses double from the first on."""

STEADY_S = 5.0
"""Time after which a link was a real one: the next pause starts from the beginning."""

_INPUT_FLAGS, _CONTROL_CHARACTERS = 0, 6  # where tcgetattr keeps them


class _Port(serial.Serial):
    """A pyserial port that keeps the bytes which the kernel received before the port was opened."""

    def _reset_input_buffer(self) -> None:
        """Do nothing. pyserial calls this method at the end of opening to drop the bytes received before."""


class SerialPort:
    """Source (`LinkSource`) of the links over one serial port. `accept` opens the port after the previous link was
    closed."""

    def __init__(
        self,
        path: str,
        baud: int,
        framing: Framing,
        *,
        clock: Clock | None = None,
        setting: str = "[[serial]]",
    ) -> None:
        """Set up the source without opening the port. `setting` names the place where the operator configured it."""
        self.path: Final = path
        self.baud: Final = baud
        self.framing: Final = framing
        self.trouble: PortTrouble | None = None
        """The reason that the port could not be opened at the last try; None when it could."""
        self.openings = 0
        self.opened_at_s = 0.0
        """Time of the last opening; monotonic."""
        self._clock = clock if clock is not None else SystemClock()
        self._setting = setting
        self._link: DescriptorLink | None = None
        self._framed: HdlcLink | None = None
        self._node: str | None = None
        self._retry = GrowingWait(FIRST_PAUSE_S, LAST_PAUSE_S)
        self._closing = asyncio.Event()

    @property
    def name(self) -> str:
        return f"serial:{self.path}"

    @property
    def link(self) -> DescriptorLink | None:
        """The open link, below its HDLC framing; None while none is open."""
        return None if self._link is None or self._link.ended else self._link

    @property
    def node(self) -> str | None:
        """The device node of the open link; None while none is open."""
        return None if self.link is None else self._node

    @property
    def frames_dropped(self) -> int:
        """Number of frames that the last link dropped; 0 without HDLC framing."""
        return 0 if self._framed is None else self._framed.frames_dropped

    @property
    def leads_to(self) -> str | None:
        """The device node that the configured name points to now; None where there is no such node."""
        node = os.path.realpath(self.path)
        return node if os.path.exists(node) else None

    async def accept(self) -> Link:
        """Retry until the port is open, and return its link. Raises ConnectionAbortedError after `close`."""
        if self._link is not None:
            await self._unless_closing(self._link.wait_closed())
            await self._pause_after(self._link)
            self._link = None
        while True:
            if self._closing.is_set():
                raise ConnectionAbortedError(f"{self.name} is closed")
            try:
                link = self._open()
            except (OSError, termios.error, ValueError) as error:
                self._note(trouble_of(self.path, self.baud, error, self._setting))
                absent = self.trouble is not None and self.trouble.kind in (TroubleKind.ABSENT, TroubleKind.STALE)
                await self._pause(RETURN_PAUSE_S_MAX if absent else LAST_PAUSE_S)
            else:
                return self._opened(link)

    async def close(self) -> None:
        self._closing.set()

    def _opened(self, link: DescriptorLink) -> Link:
        self.trouble = None
        self.openings += 1
        self._link = link
        self._framed = HdlcLink(link) if self.framing == "hdlc" else None
        self.opened_at_s = self._clock.monotonic_s()
        log.info("serial.opened", port=self.name, node=self._node, baud=self.baud, framing=self.framing)
        return link if self._framed is None else self._framed

    def _open(self) -> DescriptorLink:
        node = os.path.realpath(self.path)
        port = _Port(node, self.baud, timeout=0, write_timeout=0, exclusive=True)
        try:
            # A separate copy: pyserial's other descriptors (two pipes) are not needed. The lock belongs to both.
            descriptor = os.dup(port.fileno())
        finally:
            port.close()
        try:
            settings = termios.tcgetattr(descriptor)
            # A break, which a wrong baud looks like, must not drop unread bytes.
            settings[_INPUT_FLAGS] &= ~termios.BRKINT
            # pyserial's VMIN 0 makes "nothing yet" look like a hang-up (both read as no bytes); with 1 they differ.
            settings[_CONTROL_CHARACTERS][termios.VMIN] = 1
            settings[_CONTROL_CHARACTERS][termios.VTIME] = 0
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)
            link = DescriptorLink(self.name, descriptor, partial(os.close, descriptor), now_s=self._clock.monotonic_s)
        except BaseException:
            os.close(descriptor)
            raise
        self._node = node
        return link

    def _note(self, trouble: PortTrouble) -> None:
        if trouble != self.trouble:  # once per reason, not once per try
            log.warning("serial.open_failed", port=self.name, why=trouble.sentence)
        self.trouble = trouble

    async def _pause_after(self, link: DescriptorLink) -> None:
        """Wait before the port is reopened after `link`. There is no wait if the link was open for STEADY_S and the
        gateway closed it."""
        steady = self._clock.monotonic_s() - self.opened_at_s >= STEADY_S
        if steady:
            self._retry.reset()
        if link.hung_up or not steady:
            await self._pause(RETURN_PAUSE_S_MAX if link.received_bytes else LAST_PAUSE_S)

    async def _pause(self, limit_s: float) -> None:
        pause_s = self._retry.next_s(limit_s)
        await self._unless_closing(self._clock.sleep_until(self._clock.monotonic_s() + pause_s))

    async def _unless_closing(self, waiting: Coroutine[None, None, None]) -> None:
        """Await `waiting`, but return early when `close` is called."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._closing.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
