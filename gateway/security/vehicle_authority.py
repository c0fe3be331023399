"""Certificate authority of one vehicle, by which its tablets trust the crew's pages over TLS.

No public authority issues a certificate for `argus.local` or a private address. So each vehicle has an authority of its
own, which the tablets of the vehicle install once. Installed on a tablet it could, without a constraint, vouch for any
site that the tablet visits; the thief of a vehicle computer could then read the tablet's other traffic. A critical name
constraint (RFC 5280 §4.2.1.10) limits it to the names and private addresses under which the vehicle's page is served,
and its extended key usage to servers, since the constraint does not bind certificates for mail or programs.
Chromium, Android, Apple and Windows enforce it, and refuse the whole certificate where they do not know it.

The authority's key is encrypted under the store's key. A server certificate is short-lived and made in memory, together
with its key, each time that the gateway starts and before it expires; it is never on a disk.

**Clocks.** A tablet judges a certificate by its own clock, and the box may start in 1970. The box's clock is at least
the day of the software's build (`trusted_clock`), and while nothing disciplines it, it may lag behind by the time that
the vehicle stood without power. So the authority is valid from that day, and a server certificate made by an
undisciplined clock is valid for longer in both directions, below the 825 days that Apple accepts. An undisciplined
clock that is years ahead of the build is reported (`TrustedClock.doubtful`): tablets with the right time refuse the
certificate until a time service sets the clock; then another one is made.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.durable import replace_file
from gateway.security.secret_store import SecretDamaged, SecretStore

KEY_FILE = "vehicle-ca.key"
CERTIFICATE_FILE = "vehicle-ca.crt"
AUTHORITY_DAYS = 15 * 365
"""Validity of the authority: longer than a vehicle is in service, since each tablet installs it by hand."""
SERVER_DAYS = 30
"""Validity of a server certificate while the clock is disciplined."""
SERVER_DAYS_UNDISCIPLINED = 397
"""Validity while the clock may lag: more than a year without power and network."""
SERVER_DAYS_BEFORE = 30
"""Days by which a server certificate is valid before it was made: clocks of tablets lag too."""
SERVER_DAYS_BEFORE_UNDISCIPLINED = 397
"""The same while the clock may be ahead: it was set by hand, or by a device that was wrong."""
NAMES_MAX = 32
"""Names and addresses in a server certificate."""
PRIVATE_NETWORKS: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
    *map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")),
    *map(ipaddress.IPv6Network, ("fc00::/7", "fe80::/10")),
)
"""Networks that no other site has: private, link-local and loopback addresses (RFC 1918, 3927, 4193, 4291)."""
MDNS_NAMES_MAX = 9
"""`argus.local` to `argus-9.local`: names of vehicles that meet in one network (`mdns_name`)."""
_DAY_US = 86_400_000_000
_BEGIN = b"-----BEGIN CERTIFICATE"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AuthorityUnusable(Exception):
    """The vehicle's authority cannot be used; the text is the diagnosis."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server certificate in memory. `pem`: its key, itself and the authority's certificate. `names`: what it is valid
    for. `renew_at_us`: wall time in µs since 1970 UTC at which half of its validity is over."""

    pem: bytes = field(repr=False)
    names: frozenset[str]
    renew_at_us: int

    def load(self, context: ssl.SSLContext) -> None:
        """Let `context` use the certificate for connections from now on. The key reaches OpenSSL through memory."""
        descriptor = os.memfd_create("argus-server-certificate", os.MFD_CLOEXEC)
        try:
            written = 0
            while written < len(self.pem):
                written += os.write(descriptor, self.pem[written:])
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class VehicleAuthority:
    """The authority of one vehicle."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def create(cls, secrets: SecretStore, vehicle: str, names: Iterable[str], *, now_us: int, built_us: int) -> Self:
        """Make an authority for these DNS names, for `argus.local` and for private addresses, and store it durably.
        Raises OSError."""
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Argus {vehicle}"[:64])])
        permitted: list[x509.GeneralName] = [x509.DNSName(each) for each in sorted({*names, *mdns_hosts()})]
        permitted += [x509.IPAddress(each) for each in PRIVATE_NETWORKS]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(built_us))
            .not_valid_after(_moment(max(now_us, built_us) + AUTHORITY_DAYS * _DAY_US))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        # The sealed file has both and is written first. So after a power cut between the two files `load` completes the
        # authority, and a certificate without the sealed file means that the key was lost.
        certificate_pem = certificate.public_bytes(Encoding.PEM)
        secrets.put(KEY_FILE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate_pem)
        replace_file(_certificate_path(secrets), certificate_pem)
        return cls(certificate, key)

    @classmethod
    def load(cls, secrets: SecretStore) -> Self | None:
        """Read the authority; None where there never was one. Raises `AuthorityUnusable`, also where its key was lost:
        another authority would be one that no tablet of the vehicle trusts."""
        path = _certificate_path(secrets)
        try:
            pem = secrets.get(KEY_FILE)
            if pem is None:
                if path.exists():
                    raise AuthorityUnusable(_lost(f"{secrets.path(KEY_FILE)} is missing, and {path} is there"))
                return None
            if _BEGIN in pem and not path.exists():
                replace_file(path, pem[pem.index(_BEGIN) :])
            key = load_pem_private_key(pem, password=None)
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except OSError as error:
            raise AuthorityUnusable(_lost(f"{error.filename or path} cannot be read ({error.strerror})")) from None
        except (SecretDamaged, ValueError, TypeError):
            raise AuthorityUnusable(_lost(f"{path} or its key is damaged")) from None
        if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise AuthorityUnusable(_lost(f"{path} does not belong to its key"))
        return cls(certificate, key)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate as people compare it: pairs of capital hex digits."""
        return sha256(self.der).digest().hex(":").upper()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def not_before_us(self) -> int:
        return _us(self.certificate.not_valid_before_utc)

    @property
    def not_after_us(self) -> int:
        return _us(self.certificate.not_valid_after_utc)

    def permits(self, name: str) -> bool:
        """Return whether the authority's constraint permits a DNS name or an address."""
        address = as_address(name)
        if address is not None:
            return any(address in network for network in PRIVATE_NETWORKS if network.version == address.version)
        found = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
        permitted = [each.value for each in found if isinstance(each, x509.DNSName)]
        return any(name == each or name.endswith(f".{each}") for each in permitted)

    def issue(self, names: Iterable[str], *, now_us: int, disciplined: bool) -> ServerCertificate:
        """Make a server certificate for the DNS names and addresses that the authority permits. `now_us`: wall time.
        `disciplined`: a time service sets the clock."""
        permitted = [name for name in frozenset(names) if self.permits(name)]
        served = sorted(permitted, key=lambda name: (as_address(name) is not None, name))[:NAMES_MAX]
        key = generate_private_key(SECP256R1())
        days = SERVER_DAYS if disciplined else SERVER_DAYS_UNDISCIPLINED
        days_before = SERVER_DAYS_BEFORE if disciplined else SERVER_DAYS_BEFORE_UNDISCIPLINED
        ends_us = min(now_us + days * _DAY_US, self.not_after_us)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Argus crew pages")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_moment(max(now_us - days_before * _DAY_US, self.not_before_us)))
            .not_valid_after(_moment(max(ends_us, self.not_before_us + _DAY_US)))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in served]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem += certificate.public_bytes(Encoding.PEM) + self.certificate.public_bytes(Encoding.PEM)
        return ServerCertificate(pem, frozenset(served), now_us + (ends_us - now_us) // 2)


def server_context() -> ssl.SSLContext:
    """Return the TLS settings of the crew's pages, without a certificate. TLS 1.2 is the oldest version that is left in
    the browsers of tablets in service."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def mdns_hosts() -> tuple[str, ...]:
    """Return the names that a vehicle may have in the local network, the first one preferred."""
    return ("argus.local", *(f"argus-{number}.local" for number in range(2, MDNS_NAMES_MAX + 1)))


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address to listen on."""
    address = as_address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def as_address(name: str) -> Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _certificate_path(secrets: SecretStore) -> Path:
    return secrets.path(KEY_FILE).with_name(CERTIFICATE_FILE)


def _general_name(name: str) -> x509.GeneralName:
    address = as_address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _lost(what: str) -> str:
    return (
        f"{what}: the crew's pages cannot be served over TLS. Restore the identity's folder from a backup, or make "
        "another authority with `argus-gateway crew authority --new`, which each tablet must install"
    )


def _moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


def _us(moment: datetime) -> int:
    return round(moment.timestamp()) * 1_000_000
