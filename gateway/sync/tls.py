"""TLS to the broker that works while the machine's clock is wrong: the gateway's own clock checks certificate dates.

An ambulance's computer without an RTC battery starts in 1970, when every certificate is "not yet valid" for OpenSSL. So
OpenSSL verifies everything but the dates (signatures, authority, host name, purpose), and `DatedSocket` checks the
dates of the verified chain at the end of the handshake. paho sends no byte of MQTT before `do_handshake` returns, so a
peer with wrong dates has seen only our certificate, which is no secret, and a proof that we hold its key.

While the clock is synchronised, both dates must hold, as in any TLS client. While it is not, our time is a lower bound
of the true time. A certificate that ended before our time has certainly expired and is refused. A certificate that
begins after our time is accepted: its authority has issued it, so the true time is later than ours. One that expired
between our time and the true time cannot be recognised yet. So when the clock is synchronised, the uplink checks the
certificates again, and ends the connection if one has expired.
"""

import _ssl
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from cryptography import x509

X509_V_FLAG_NO_CHECK_TIME = 0x200000
"""A flag of openssl/x509_vfy.h, since OpenSSL 1.1.0. Python's `ssl` passes it on and has no name for it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CertificateClock(Protocol):
    """The part of `TrustedClock` that the check of certificate dates needs."""

    @property
    def synchronised(self) -> bool: ...

    def wall_us(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ChainDates:
    """Certificates that bound a chain's validity: the last to become valid (`begins`), the first to expire (`ends`)."""

    begins: x509.Certificate
    ends: x509.Certificate

    @classmethod
    def of(cls, chain: list[bytes]) -> "ChainDates":
        """Return the dates of a chain in DER. Raises ValueError where it is empty or a certificate cannot be read."""
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        return cls(
            begins=max(certificates, key=lambda each: each.not_valid_before_utc),
            ends=min(certificates, key=lambda each: each.not_valid_after_utc),
        )

    def fault(self, clock: CertificateClock) -> str | None:
        """Check the validity dates of a certificate chain by `clock`. Return the fault as a sentence, or None."""
        now = _EPOCH + timedelta(microseconds=clock.wall_us())
        begin, end = self.begins.not_valid_before_utc, self.ends.not_valid_after_utc
        if now > end:
            return f"the certificate of {_name(self.ends)} expired at {end:%Y-%m-%d %H:%M} UTC; renew it at the broker"
        if clock.synchronised and now < begin:
            return f"the certificate of {_name(self.begins)} is valid from {begin:%Y-%m-%d %H:%M} UTC on, not yet now"
        return None


class DatedSocket(ssl.SSLSocket):
    """A TLS connection whose handshake also checks certificate dates, made by a context passed to `date_peers`."""

    certificate_clock: CertificateClock
    dates: ChainDates

    def do_handshake(self, block: bool = False) -> None:
        """Complete the handshake. For wrong dates, close the socket and raise `ssl.SSLCertVerificationError`."""
        super().do_handshake(block)
        try:
            self.dates = ChainDates.of(self._chain())
            fault = self.fault()
        except ValueError:
            fault = "the dates of the broker's certificate cannot be read"
        if fault is not None:
            self.close()
            raise ssl.SSLCertVerificationError(1, fault)

    def fault(self) -> str | None:
        """Check the dates of the peer's certificates now. Return the fault as a sentence, or None."""
        return self.dates.fault(self.certificate_clock)

    def _chain(self) -> list[bytes]:
        """Return the verified chain in DER, peer first. Python 3.13 has a public method for it."""
        verified = self._sslobj.get_verified_chain() or []  # type: ignore[attr-defined]  # not in the published types
        return [each.public_bytes(_ssl.ENCODING_DER) for each in verified]


def date_peers(context: ssl.SSLContext, clock: CertificateClock) -> None:
    """Let `clock`, not the system clock, check the certificate dates of the peers of this client context."""
    context.verify_flags |= X509_V_FLAG_NO_CHECK_TIME

    class Socket(DatedSocket):
        certificate_clock = clock

    context.sslsocket_class = Socket


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"serial number {certificate.serial_number:x}"
