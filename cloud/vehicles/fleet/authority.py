"""The certificate authority of the fleet: the certificates that it issues and its revocation list.

One authority signs the certificates of the gateways and of the broker, and the revocation list that mosquitto reads.
Its key must be online, because the list has to be renewed for as long as there are vehicles. So the database stores the
key, sealed under the master key (`authority_store`). An existing authority can be imported. `broker_directory` decides
which certificates are on the list; this module keeps no state.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)
from cryptography.x509.oid import CRLEntryExtensionOID, ExtendedKeyUsageOID, NameOID

from cloud.foundation.errors import PrivateError

AUTHORITY_DAYS = 3650
"""Lifetime of an authority: replacing one needs a restart of the broker and a new file in every vehicle."""
CERTIFICATE_DAYS = 825
"""Lifetime of a gateway's certificate. A vehicle gets the certificate by hand until enrolment renews it, so it must
last from one service of the vehicle to the next. A stolen certificate is revoked and does not have to expire."""
BACKDATED = timedelta(hours=1)
"""Certificates are valid from this long before their issue, for gateways whose clock is a little behind."""
REVOCATION_DAYS = 30
"""Lifetime of a revocation list until its nextUpdate. After it mosquitto refuses the whole fleet, so the list is
renewed daily."""

PublicKey = EllipticCurvePublicKey | RSAPublicKey
PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey


class CertificateRequestUnusable(PrivateError, code="certificate_request_unusable", status=422):
    """The certificate request cannot be used. Send the file `client.csr` that `argus-gateway provision` writes."""


class AuthorityUnusable(PrivateError, code="authority_unusable", status=422):
    """The certificate authority cannot be imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate authority with its private key."""

    id: str
    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_der(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 DER, the form that is sealed for the database."""
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def of(cls, id: str, certificate: x509.Certificate, key_der: bytes) -> "Authority":
        """Load an authority from its certificate and its private key (PKCS #8 DER). Raises `AuthorityUnusable` when the
        certificate is not a CA certificate, when the key is neither RSA nor on an elliptic curve, or when the key does
        not belong to the certificate."""
        key = load_der_private_key(key_der, password=None)
        if not isinstance(key, EllipticCurvePrivateKey | RSAPrivateKey):
            raise AuthorityUnusable("(Its key is neither RSA nor on an elliptic curve.)")
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
            raise AuthorityUnusable("(The key is not the key of this certificate.)")
        try:
            is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_authority = False
        if not is_authority:
            raise AuthorityUnusable("(The certificate is not that of an authority: its basic constraints forbid it.)")
        return cls(id=id, certificate=certificate, key=key)


@dataclass(frozen=True, slots=True, order=True)
class Revocation:
    """An entry of a revocation list. `held`: the gateway is only suspended, and resuming it removes the entry."""

    serial: int
    at_us: int
    held: bool


def moment_of(at_us: int) -> datetime:
    """Return a time in whole seconds, the resolution of X.509."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC)


def create_authority(id: str, name: str, now_us: int) -> Authority:
    """Create an authority with a new P-256 key, which every TPM and every TLS library supports."""
    key, now = generate_private_key(SECP256R1()), moment_of(now_us)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Authority(id=id, certificate=builder.sign(key, SHA256()), key=key)


def has_issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def read_request(pem: bytes) -> PublicKey:
    """Return the public key of a PEM certificate request (CSR) whose signature proves possession of the private key.
    The names in the request are ignored. Raises `CertificateRequestUnusable`."""
    try:
        request = x509.load_pem_x509_csr(pem)
        valid = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, InvalidSignature) as error:
        raise CertificateRequestUnusable(f"({type(error).__name__})") from None
    if not valid:
        raise CertificateRequestUnusable("(Its signature is not that of its key.)")
    if not isinstance(key, EllipticCurvePublicKey | RSAPublicKey):
        raise CertificateRequestUnusable("(Its key is neither RSA nor on an elliptic curve.)")
    return key


def issue_client(authority: Authority, key: PublicKey, common_name: str, *, days: int, now_us: int) -> x509.Certificate:
    """Issue the certificate of a gateway, for TLS client authentication only. `common_name` is the gateway's id. The
    certificate has it as alternative name too, which RabbitMQ compares with the client id."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return _issue(authority, subject, key, days, now_us, ExtendedKeyUsageOID.CLIENT_AUTH, (common_name,))


def issue_server(authority: Authority, names: Sequence[str], *, days: int, now_us: int) -> tuple[bytes, bytes]:
    """Issue the broker's certificate for these host names and IP addresses; return it and its private key as PEM."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    made = _issue(authority, subject, key.public_key(), days, now_us, ExtendedKeyUsageOID.SERVER_AUTH, names)
    return made.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def revocation_list(authority: Authority, entries: Iterable[Revocation], *, now_us: int) -> bytes:
    """Create the revocation list as PEM. Its CRL number is `now_us`, which grows without a stored counter."""
    now = moment_of(now_us)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - BACKDATED)
        .next_update(now + timedelta(days=REVOCATION_DAYS))
        .add_extension(x509.CRLNumber(now_us), critical=False)
        .add_extension(_identifier_of(authority), critical=False)
    )
    for entry in sorted(entries):
        reason = x509.ReasonFlags.certificate_hold if entry.held else x509.ReasonFlags.cessation_of_operation
        revoked = x509.RevokedCertificateBuilder().serial_number(entry.serial)
        revoked = revoked.revocation_date(moment_of(entry.at_us)).add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(authority.key, SHA256()).public_bytes(Encoding.PEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """Times and entries of a revocation list. Each entry is a pair: a certificate's serial number, and True if the
    certificate's gateway is only suspended. From `next_update_us` on mosquitto refuses every certificate."""

    made_at_us: int
    next_update_us: int
    entries: frozenset[tuple[int, bool]]


def read_list(pem: bytes) -> dict[bytes, ListFacts]:
    """Return a mapping from the issuer's name (DER) to the issuer's revocation list in a PEM file. Raises ValueError
    for a list that is unreadable or that this program did not make."""
    end = b"-----END X509 CRL-----"
    found: dict[bytes, ListFacts] = {}
    for part in pem.split(end)[:-1]:
        one = x509.load_pem_x509_crl(part + end + b"\n")
        try:
            found[one.issuer.public_bytes()] = _facts(one)
        except x509.ExtensionNotFound:
            raise ValueError("a revocation list that this program did not make") from None
    return found


def _facts(one: x509.CertificateRevocationList) -> ListFacts:
    if one.next_update_utc is None:
        raise ValueError("a revocation list without an end")
    return ListFacts(
        made_at_us=one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number,
        next_update_us=int(one.next_update_utc.timestamp()) * 1_000_000,
        entries=frozenset((entry.serial_number, _is_held(entry)) for entry in one),
    )


def _is_held(entry: x509.RevokedCertificate) -> bool:
    reason = entry.extensions.get_extension_for_oid(CRLEntryExtensionOID.CRL_REASON).value
    return isinstance(reason, x509.CRLReason) and reason.reason is x509.ReasonFlags.certificate_hold


def _issue(
    authority: Authority,
    subject: x509.Name,
    key: PublicKey,
    days: int,
    now_us: int,
    usage: x509.ObjectIdentifier,
    names: Sequence[str],
) -> x509.Certificate:
    builder = _builder(subject, authority.certificate.subject, key, moment_of(now_us), days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(_identifier_of(authority), critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        )
    return builder.sign(authority.key, SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _identifier_of(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
