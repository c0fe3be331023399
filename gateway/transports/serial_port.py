"""Links over a serial port: opened, configured, and opened again after the cable or the device went away.

pyserial opens the port and sets speed and modem lines; octets then go over the descriptor (`descriptor_link`), since
that costs least. A port that is absent is waited for with growing pauses, and so is one whose link hung up or did not
last, or a broken adapter would keep the loop busy. The port is held exclusively: two readers would each get half of
every APDU.

What a port received before it was opened is read like everything else: a device that was quicker than we has asked for
its association already, and would wait seconds for the answer to its next try. An association on a line finds the
request behind whatever else may lie there.

A pseudo-terminal is a port like any other here; speed and modem lines mean nothing to it.
"""

import asyncio
import termios
from collections.abc import Coroutine
from typing import Final, Literal

import serial
import structlog

from gateway.transports.clock import Clock, SystemClock
from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.hdlc_link import HdlcLink
from gateway.transports.link import Link

log = structlog.get_logger(__name__)

Framing = Literal["raw", "hdlc"]

FIRST_PAUSE_S = 0.25
LAST_PAUSE_S = 8.0
"""Pauses double from the first to the last. A crew that plugs a monitor in sees it within eight seconds."""

STEADY_S = 5.0
"""A link that lasted this long was a real one: the next pause starts from the beginning."""

_CONTROL_CHARACTERS = 6  # where tcgetattr keeps them


class _Port(serial.Serial):
    """Opens without throwing away what has been received."""

    def _reset_input_buffer(self) -> None:
        """pyserial calls this at the end of opening and has no other way to leave it out."""


class SerialPort:
    """A `LinkSource` with one link at a time: `accept` waits until the last link was closed, then opens the port."""

    def __init__(self, path: str, baud: int, framing: Framing, *, clock: Clock | None = None) -> None:
        self._path = path
        self._baud = baud
        self._framing: Final = framing
        self._clock = clock if clock is not None else SystemClock()
        self._link: DescriptorLink | None = None
        self._opened_at_s = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._closing = asyncio.Event()
        self.last_error: str | None = None
        """Why the port could not be opened at the last try; None when it could."""

    @property
    def name(self) -> str:
        return f"serial:{self._path}"

    async def accept(self) -> Link:
        """The port as a link. Raises ConnectionAbortedError after `close`, and waits through everything else."""
        if self._link is not None:
            await self._unless_closing(self._link.wait_closed())
            if self._link.hung_up or not self._link_was_steady():
                await self._pause()
            self._link = None
        while True:
            if self._closing.is_set():
                raise ConnectionAbortedError(f"{self.name} is closed")
            try:
                link = self._open()
            except (OSError, termios.error, ValueError) as error:
                self._note(error)
                await self._pause()
            else:
                self.last_error = None
                self._link = link
                self._opened_at_s = self._clock.monotonic_s()
                log.info("serial.opened", port=self.name, baud=self._baud, framing=self._framing)
                return HdlcLink(link) if self._framing == "hdlc" else link

    async def close(self) -> None:
        self._closing.set()

    def _open(self) -> DescriptorLink:
        port = _Port(self._path, self._baud, timeout=0, write_timeout=0, exclusive=True)
        try:
            descriptor = port.fileno()
            settings = termios.tcgetattr(descriptor)
            # pyserial's VMIN 0 makes "nothing yet" look like a hang-up (both read as no octets); with 1 they differ.
            settings[_CONTROL_CHARACTERS][termios.VMIN] = 1
            settings[_CONTROL_CHARACTERS][termios.VTIME] = 0
            termios.tcsetattr(descriptor, termios.TCSANOW, settings)
            return DescriptorLink(self.name, descriptor, port.close)
        except BaseException:
            port.close()
            raise

    def _note(self, error: Exception) -> None:
        reason = str(error)
        if reason != self.last_error:  # once a reason, not once a try
            log.warning("serial.open_failed", port=self.name, reason=reason)
        self.last_error = reason

    async def _pause(self) -> None:
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, LAST_PAUSE_S)
        await self._unless_closing(self._clock.sleep_until(self._clock.monotonic_s() + pause_s))

    async def _unless_closing(self, waiting: Coroutine[None, None, None]) -> None:
        """Wait, but no longer than until `close`."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._closing.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _link_was_steady(self) -> bool:
        steady = self._clock.monotonic_s() - self._opened_at_s >= STEADY_S
        if steady:
            self._pause_s = FIRST_PAUSE_S
        return steady
