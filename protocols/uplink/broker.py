"""Rules of a broker connection that gateway and cloud share: address, keep-alive, window, and refusals."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from protocols.uplink.limits import PACKET_BYTES_MAX

CONNECT_S_MAX = 10.0
"""Time for name look-up, TCP, TLS and CONNACK: three retransmissions of a SYN on a bad radio link."""
CLOSE_S_MAX = 0.5
"""Time for a DISCONNECT to be sent; a broker that does not read it detects the end by TCP."""
KEEPALIVE_S = 20
"""The broker considers a client disconnected after 1.5 times this, and publishes its will."""
MISC_EVERY_S = 1.0
"""Interval at which the client checks its keep-alive: a twentieth of it."""
PUBLISH_WINDOW_MAX = 20
"""Limit of publishes without PUBACK, even when the broker allows more: messages queued in the client cannot be
overtaken."""
SESSION_TAKEN_OVER = 0x8E
"""Reason code of a DISCONNECT: another client connected with this client's id."""
_PORT, _TLS_PORT = 1883, 8883


class BrokerUrl(NamedTuple):
    host: str
    port: int
    secure: bool


class Reason(Protocol):
    """A reason code of MQTT 5; `str(reason)` returns the code's name."""

    @property
    def is_failure(self) -> bool: ...


def parse_broker_url(url: str) -> BrokerUrl:
    """Parse `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`. Raises ValueError for another kind of address."""
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ValueError("a broker's address is mqtt://HOST:PORT or mqtts://HOST:PORT")
    secure = parts.scheme == "mqtts"
    return BrokerUrl(parts.hostname, parts.port or (_TLS_PORT if secure else _PORT), secure)


def find_refusal(reasons: Iterable[Reason]) -> str | None:
    """Return the name of the first failure among the reason codes of a PUBACK or SUBACK, or None."""
    return next((str(reason) for reason in reasons if reason.is_failure), None)


def find_size_conflict(packet_bytes_max: int | None) -> str | None:
    """Return why a broker with this Maximum Packet Size (None: unlimited) cannot carry a batch, or None if it can."""
    if packet_bytes_max is None or packet_bytes_max >= PACKET_BYTES_MAX:
        return None
    return (
        f"the broker takes packets of {packet_bytes_max} octets and a batch may need {PACKET_BYTES_MAX}: "
        "raise its max_packet_size"
    )


def publish_window(receive_max: int | None) -> int:
    """Return the number of publishes that may await their PUBACK. `receive_max` is the broker's Receive Maximum, None
    if the broker sent none."""
    return PUBLISH_WINDOW_MAX if receive_max is None else min(PUBLISH_WINDOW_MAX, receive_max)
