"""Packets that wait for the broker's confirmation, and when it has certainly lost one.

MQTT over TCP loses no packet, so a PUBACK that does not come means a broker (or something between) that forgets. The
broker goes on answering pings, so nothing else would notice: with a full window of unconfirmed publishes the uplink
would wait for ever. MQTT 5 forbids to send a publish again on the same connection (§4.4), so the way out is another
connection; what the cloud had not acknowledged is sent again there.

A slow link is not a lost PUBACK: each deadline allows for all bytes in flight at the slowest rate that is of use.
Pure: times are passed in.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PubackSettings:
    """Time limits of a confirmation."""

    puback_s: float = 30.0
    """From the last byte in flight. A broker answers in milliseconds; a tunnel is noticed by the keep-alive (20 s)
    first, and a broker that is so late is of no more use than none."""
    bytes_per_s_least: int = 4096
    """A link below this carries no waveform, and the largest envelope needs four minutes on it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """`packets` have passed their deadlines; the oldest was sent `oldest_s` ago."""

    packets: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class _Packet:
    size_bytes: int
    sent_at_s: float
    due_at_s: float


class UnconfirmedPackets:
    """Packets in flight without a PUBACK or SUBACK: at most a window of publishes, and a subscription."""

    def __init__(self, settings: PubackSettings) -> None:
        self._settings = settings
        self._packets: dict[int, _Packet] = {}
        self._unconfirmed_bytes = 0

    def add(self, packet_id: int, size_bytes: int, now_s: float) -> None:
        self._unconfirmed_bytes += size_bytes
        due_at_s = now_s + self._settings.puback_s + self._unconfirmed_bytes / self._settings.bytes_per_s_least
        self._packets[packet_id] = _Packet(size_bytes, now_s, due_at_s)

    def confirm(self, packet_id: int) -> None:
        """Its PUBACK or SUBACK came, whatever it says; an unknown one changes nothing."""
        packet = self._packets.pop(packet_id, None)
        if packet is not None:
            self._unconfirmed_bytes -= packet.size_bytes

    def find_lost(self, now_s: float) -> Lost | None:
        """The overdue packets, or None."""
        overdue = [packet for packet in self._packets.values() if packet.due_at_s <= now_s]
        if not overdue:
            return None
        return Lost(len(overdue), now_s - min(packet.sent_at_s for packet in overdue))
