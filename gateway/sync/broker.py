"""Address of the broker, with the credentials of this gateway."""

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Address and credentials of one attempt. `tls` is None on loopback and in tests."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"BrokerAddress({self.host}:{self.port}, tls={self.tls is not None})"
