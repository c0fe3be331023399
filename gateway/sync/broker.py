"""Where the broker is, and how this side proves who it is there."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is and how this side proves who it is. `tls` is None on loopback and in tests."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"BrokerAddress({self.host}:{self.port}, tls={self.tls is not None})"


def broker_host(url: str) -> tuple[str, int, bool]:
    """Host, port and whether TLS is wanted, of `mqtt://HOST[:PORT]` or `mqtts://HOST[:PORT]`; ValueError otherwise."""
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        raise ValueError("a broker's address is mqtt://HOST:PORT or mqtts://HOST:PORT")
    secure = parts.scheme == "mqtts"
    return parts.hostname, parts.port or (8883 if secure else 1883), secure
