"""Watch the serial lines, and record the faults that no message from a device reports.

    does not open   the port's error, when it begins, when it changes, and when it ends
    noise           bytes arrive and none is ever decoded: wrong baud rate, wrong framing, a bad cable
    moved name      the configured name now belongs to another port than the one that is open

Each fault is recorded once as an event, not at every check. Noise has no other effect: its bytes are dropped, and an
association request between the noise is still found (protocols.framing.apdu_stream).

When a name has moved (udev renamed its ports, two cables were swapped), the open port is closed only if its line is
silent. A device that sends is never disconnected because of a name: its system id identifies its values in any case. A
name that belongs to no port, while the previous port is open, changes nothing.

Silence alone is no fault: a thermometer sends nothing for hours.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.sessions.association.session import AssociationSession
from gateway.sessions.journal import Journal
from gateway.transports.clock import Clock
from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.serial_port import SerialPort

LOOK_EVERY_S = 2.0
"""Interval of the checks: long enough for a device that tries several settings, short enough for an operator nearby."""
NOISE_BYTES = 8
NOISE_LOOKS = 2
"""Minimum number of checks in which bytes arrived, besides `NOISE_BYTES` in total, before noise is recorded. Inserting
a plug makes noise, and a device that is switched off leaves half a message. At a baud rate that is too low, a request
of a fast device is read as four bytes and repeated after ten seconds."""
SILENT_S = 5.0
"""Silence after which the open port is closed because its name has moved; as in `claims`."""


@dataclass(slots=True)
class _Seen:
    """State of one serial port at the last check, and the faults that were recorded for the port."""

    trouble: str | None = None
    opening: int = 0
    understood: int = 0
    """The session's count of decoded events at the last check."""
    bytes_then: int = 0
    """Number of bytes that had arrived when a message was last decoded; 0: none on this link."""
    bytes_last: int = 0
    """Number of bytes that had arrived at the last check."""
    noisy_looks: int = 0
    noise_told: bool = False
    moved_told: str | None = None
    has_served: bool = False
    """True once a device has worked on this port with these settings, so that the settings are right."""


class LineWatch:
    """Check of the serial lines on `ports` for faults, at intervals. `sessions` returns the running sessions."""

    def __init__(
        self,
        ports: Sequence[SerialPort],
        sessions: Callable[[], Sequence[AssociationSession]],
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._seen = [(port, _Seen()) for port in ports]
        self._sessions = sessions
        self._clock = clock
        self._journal = journal

    async def run(self) -> None:
        """Check the serial lines for faults every LOOK_EVERY_S, until cancelled. Return at once if there is no line."""
        while self._seen:
            await self._clock.sleep_until(self._clock.monotonic_s() + LOOK_EVERY_S)
            await self.look()

    def noise_on(self, port: SerialPort) -> str | None:
        """Return the sentence for the operator about undecodable bytes on `port`. Return None if no such bytes were
        recorded, or if the port is not open."""
        seen = next((seen for each, seen in self._seen if each is port), None)
        if seen is None or not seen.noise_told or port.link is None:
            return None
        return noise_sentence(port, has_served=seen.has_served)

    async def look(self) -> None:
        sessions = {session.link.name: session for session in self._sessions()}
        for port, seen in self._seen:
            await self._look_at_trouble(port, seen)
            if port.link is not None:
                if (session := sessions.get(port.name)) is not None:
                    await self._look_at_noise(port, port.link, session, seen)
                await self._look_at_name(port, port.link, seen)

    async def _look_at_trouble(self, port: SerialPort, seen: _Seen) -> None:
        trouble = None if port.trouble is None else port.trouble.sentence
        if trouble == seen.trouble:
            return
        seen.trouble = trouble
        if trouble is not None:
            await self._journal.record("serial.not_open", None, link=port.name, why=trouble)
        else:
            await self._journal.record("serial.opens_again", None, link=port.name)

    async def _look_at_noise(
        self, port: SerialPort, link: DescriptorLink, session: AssociationSession, seen: _Seen
    ) -> None:
        received_bytes = link.received_bytes
        seen.has_served = seen.has_served or session.device is not None or session.associated.is_set()
        if port.openings != seen.opening:
            seen.opening, seen.understood = port.openings, session.understood
            seen.bytes_then = seen.bytes_last = seen.noisy_looks = 0
            seen.noise_told = False
        if session.understood != seen.understood or session.device is not None:
            seen.understood = session.understood
            seen.bytes_then = seen.bytes_last = received_bytes
            seen.noisy_looks, seen.noise_told = 0, False
            return
        seen.noisy_looks += received_bytes > seen.bytes_last
        seen.bytes_last = received_bytes
        noise_bytes = received_bytes - seen.bytes_then
        if noise_bytes >= NOISE_BYTES and seen.noisy_looks >= NOISE_LOOKS and not seen.noise_told:
            seen.noise_told = True
            why = noise_sentence(port, has_served=seen.has_served)
            await self._journal.record(
                "serial.not_understood", None, link=port.name, why=why, octets=noise_bytes, baud=port.baud
            )

    async def _look_at_name(self, port: SerialPort, link: DescriptorLink, seen: _Seen) -> None:
        leads_to = port.leads_to
        if leads_to is None or port.node is None or leads_to == port.node:
            seen.moved_told = None
            return
        last_s = link.last_byte_s if link.last_byte_s is not None else port.opened_at_s
        silent = self._clock.monotonic_s() - last_s >= SILENT_S
        if seen.moved_told != leads_to:
            seen.moved_told = leads_to
            then = "the new port is opened" if silent else "the new port is opened when the device there is silent"
            why = f"{port.path} leads to {leads_to} now, and {port.node} is open: {then}"
            await self._journal.record("serial.name_moved", None, link=port.name, why=why)
        if silent:
            link.hang_up()


def noise_sentence(port: SerialPort, *, has_served: bool = False) -> str:
    """Return a sentence for the operator about undecodable bytes on `port`: the baud rate and framing in use, and what
    to try next. `has_served`: a device has worked with these settings, so the sentence suggests other causes."""
    if has_served:
        return (
            f"{port.path} brings bytes that make no message, and a device has worked there at {port.baud} baud with "
            f"framing {port.framing}: look whether another device is plugged in now, then change the cable"
        )
    other = "raw" if port.framing == "hdlc" else "hdlc"
    return (
        f"{port.path} brings bytes that make no message at {port.baud} baud with framing {port.framing}: "
        f"its device cannot connect; set baud in [[serial]] to the rate in the device's manual, else framing to "
        f"{other}, else change the cable"
    )
