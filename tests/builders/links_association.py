"""The smallest possible association, for tests of links and of the pump without a real protocol.

Each received byte is a confirmed report, whose number is the byte. A delivered report is acknowledged with "+" and its
byte, a refused report with "-" and its byte. The byte "?" gets the reply "!" at once, before any report of the read is
stored; "." ends the association. At its deadline the association sends "T" and ends.
"""

from collections.abc import Sequence

from protocols.ieee11073.association.events import Event, LinkLost, Released
from protocols.ieee11073.association.manager_events import ReportReceived


class ByteAssociation:
    """A fake association with the interface `gateway.transports.link.AssociationEngine`."""

    def __init__(self, *, opening: bytes = b"", deadline_s: float | None = None) -> None:
        self.closed = False
        self.deadline_s = deadline_s
        self._outgoing = bytearray(opening)

    def receive(self, data: bytes, now_s: float) -> Sequence[Event]:
        if not data:
            self.closed = True
            return [LinkLost()]
        events: list[Event] = []
        for octet in data:
            match octet:
                case 0x3F:
                    self._outgoing += b"!"
                case 0x2E:
                    self.closed = True
                    events.append(Released())
                case _:
                    events.append(ReportReceived(observations=(), confirmed=True, report_no=octet, received_s=now_s))
        return events

    def expire(self, now_s: float) -> Sequence[Event]:
        if self.deadline_s is not None and now_s >= self.deadline_s:
            self.say(b"T")
            self.closed = True
        return []

    def to_send(self) -> bytes:
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def delivered(self, event: Event) -> None:
        if isinstance(event, ReportReceived):
            self._outgoing += bytes((0x2B, event.report_no))

    def refused(self, event: Event) -> None:
        if isinstance(event, ReportReceived):
            self._outgoing += bytes((0x2D, event.report_no))

    def say(self, data: bytes) -> None:
        """Queue bytes to send that are not the response to a received byte."""
        self._outgoing += data


def report_numbers(events: Sequence[Event]) -> bytes:
    """Return the numbers of the reports among the events, as bytes."""
    return bytes(event.report_no for event in events if isinstance(event, ReportReceived))
