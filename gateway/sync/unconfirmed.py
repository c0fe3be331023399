"""Packets that the broker has not confirmed, and the time after which one counts as lost.

MQTT over TCP loses no packet, so a missing PUBACK means that the broker, or a proxy before it, lost the packet. The
keep-alive does not detect this, and with a full window the uplink would wait for ever. MQTT 5 forbids sending a publish
again on the same connection (§4.4). So the uplink connects again, and sends everything that the cloud had not
acknowledged. A slow link is not a lost PUBACK: each deadline allows for all bytes in flight at the slowest useful rate.
Pure: times are passed in.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PubackSettings:
    """The deadline for the broker's confirmation of a packet."""

    puback_s: float = 30.0
    """Time from the last byte in flight. A broker responds in milliseconds; the keep-alive (20 s) detects a tunnel
    first, and a broker that is so late is of no more use than none."""
    bytes_per_s_least: int = 4096
    """Slowest useful rate: a link below this carries no waveform, and the largest envelope needs four minutes on it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The packets that the broker did not confirm in time: their number, and the age of the oldest one."""

    packets: int
    oldest_s: float


@dataclass(frozen=True, slots=True)
class _Packet:
    size_bytes: int
    sent_at_s: float
    due_at_s: float


class UnconfirmedPackets:
    """Packets in flight without a PUBACK or SUBACK: publishes, and at most one subscription."""

    def __init__(self, settings: PubackSettings) -> None:
        self._settings = settings
        self._packets: dict[int, _Packet] = {}
        self._unconfirmed_bytes = 0

    def add(self, packet_id: int, size_bytes: int, now_s: float) -> None:
        self._unconfirmed_bytes += size_bytes
        due_at_s = now_s + self._settings.puback_s + self._unconfirmed_bytes / self._settings.bytes_per_s_least
        self._packets[packet_id] = _Packet(size_bytes, now_s, due_at_s)

    def confirm(self, packet_id: int) -> None:
        """Remove a packet whose PUBACK or SUBACK arrived, with any reason code. Ignore an unknown packet id."""
        packet = self._packets.pop(packet_id, None)
        if packet is not None:
            self._unconfirmed_bytes -= packet.size_bytes

    def find_lost(self, now_s: float) -> Lost | None:
        """Return the packets whose deadline has passed, or None."""
        overdue = [packet for packet in self._packets.values() if packet.due_at_s <= now_s]
        if not overdue:
            return None
        return Lost(len(overdue), now_s - min(packet.sent_at_s for packet in overdue))
