"""Request a time stamp for a tree head from an outside service (RFC 3161), and verify it.

The service signs the SHA-256 of the signed head together with its own time. So the head existed at that time, even if
the keys of the platform were stolen. The request has a random number, which the response must repeat, so an earlier
response cannot be replayed. A response is stored only after its certificates, signature, hash and number are verified.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerificationError, VerifierBuilder
from rfc3161_client import decode_timestamp_response as decode
from yarl import URL

from cloud.foundation.egress import (
    AllowList,
    Egress,
    Failure,
    Target,
    UrlBlocked,
    UrlMalformed,
    read_target,
)
from cloud.foundation.settings import SettingsUnusable
from cloud.work.tree_heads.errors import TimeStampRefused
from cloud.work.tree_heads.response_order import sort_certificates
from cloud.work.tree_heads.settings import ProvenanceSection

REQUEST_TYPE, RESPONSE_TYPE = "application/timestamp-query", "application/timestamp-reply"
RESPONSE_BYTES_MAX = 32_768
"""Limit of a response: those of public services have 2 to 7 kB, with up to four certificates."""
FILE_BYTES_MAX = 262_144


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A verified response of the service (DER) and the time that it confirms, in µs."""

    response: bytes
    at_us: int


class TimeStampService:
    """A client of the time-stamping service of the settings."""

    def __init__(self, section: ProvenanceSection) -> None:
        """Read the certificates. Raises `SettingsUnusable` if there is none, or if the URL cannot be called."""
        self._target, allowed = _permitted(section.time_stamp_url)
        self._egress = Egress(allowed)
        self._certificates = read_certificates(section.time_stamp_certificates)

    async def stamp(self, message: bytes) -> TimeStamp:
        """Return a time stamp of the SHA-256 of a message. Raises `TimeStampRefused`."""
        request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
        asked = request.nonce(nonce=True).cert_request(cert_request=True).build()
        headers = {"Content-Type": REQUEST_TYPE, "Accept": RESPONSE_TYPE}
        response = await self._egress.send("POST", self._target, headers=headers, body=asked.as_bytes())
        if isinstance(response, Failure):
            raise TimeStampRefused(f"({response.reason.value})")
        if response.status != 200 or not response.complete or len(response.body) > RESPONSE_BYTES_MAX:
            raise TimeStampRefused(f"(status {response.status})")
        return verified(response.body, message, self._certificates, nonce=asked.nonce)

    async def close(self) -> None:
        await self._egress.close()


def verified(
    response: bytes, message: bytes, certificates: list[x509.Certificate], *, nonce: int | None = None
) -> TimeStamp:
    """Return the time stamp in a response of a service, after the check of its signature, of its certificates at the
    time that it states, and of its hash. Raises `TimeStampRefused`."""
    roots = [one for one in certificates if one.issuer == one.subject]
    between = [one for one in certificates if one.issuer != one.subject]
    try:
        found = decode(sort_certificates(response))
        VerifierBuilder(roots=roots, intermediates=between, nonce=nonce).build().verify(
            found, hashlib.sha256(message).digest()
        )
        at = found.tst_info.gen_time
    except (VerificationError, ValueError) as error:
        raise TimeStampRefused(f"({type(error).__name__}: the response is not valid for this head.)") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return TimeStamp(response, int(at.timestamp() * 1_000_000))


def read_certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, of which at least one signed itself. Raises `SettingsUnusable`."""
    try:
        with path.open("rb") as file:
            found = x509.load_pem_x509_certificates(file.read(FILE_BYTES_MAX))
    except (OSError, ValueError):
        raise SettingsUnusable(f"({path} cannot be read as a file of PEM certificates.)") from None
    if not any(one.issuer == one.subject for one in found):
        raise SettingsUnusable(f"({path} has no root certificate, which is one that signed itself.)")
    return found


def _permitted(url: str) -> tuple[Target, AllowList]:
    """Return the operator's service as a target, and the permission to call it, which may be in a private network and
    without TLS: its responses are signed. Raises `SettingsUnusable`."""
    try:
        parsed = URL(url)
        allowed = AllowList([(parsed.raw_host or "", parsed.port or 0)])
        return read_target(url, allowed), allowed
    except (UrlBlocked, UrlMalformed, ValueError):
        raise SettingsUnusable("([provenance] time_stamp_url is not a URL with http or https and a host.)") from None
