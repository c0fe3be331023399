"""The smallest association there can be, to run links and the pump without a standard in the way.

Each octet that it receives is a confirmed report whose number is that octet. A report that was delivered is answered
"+" and its octet, a refused one "-" and its octet. "?" is answered "!" at once, before anything is stored; "." ends
the association. When its deadline comes it says "T" and ends.
"""

from collections.abc import Sequence

from protocols.ieee11073.association.events import Event, LinkLost, Released
from protocols.ieee11073.association.manager_events import ReportReceived


class OctetAssociation:
    """Satisfies `gateway.transports.link.AssociationEngine`."""

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
        """Something to send that no peer asked for."""
        self._outgoing += data


def report_numbers(events: Sequence[Event]) -> bytes:
    """The octets that these events were."""
    return bytes(event.report_no for event in events if isinstance(event, ReportReceived))
