"""A test's own certificate authority, which issues the certificates of a broker and a gateway."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.security.identity import TlsFiles

_DAY = timedelta(days=1)


class Authority:
    """A certificate authority that writes `NAME.crt` and `NAME.key` into `folder`; its own certificate is `ca.crt`.

    The certificates are valid from now + `begins` until now + `ends`. A period in the future stands for a machine whose
    clock is behind.
    """

    def __init__(self, folder: Path, *, begins: timedelta = -_DAY, ends: timedelta = _DAY) -> None:
        self.folder = folder
        self._begins, self._ends = begins, ends
        folder.mkdir(parents=True, exist_ok=True)
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Argus test authority")])
        self._certificate = self._sign("Argus test authority", self._key, is_authority=True)
        (folder / "ca.crt").write_bytes(self._certificate.public_bytes(Encoding.PEM))

    def issue(self, common_name: str, file_name: str, *, names: Sequence[str] = ()) -> tuple[Path, Path]:
        """Issue a certificate of `common_name` for 127.0.0.1 and these host names.

        Return the paths of the certificate `{file_name}.crt` and its key `{file_name}.key`.
        """
        key = generate_private_key(SECP256R1())
        certificate = self._sign(common_name, key, is_authority=False, names=names)
        paths = self.folder / f"{file_name}.crt", self.folder / f"{file_name}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].touch(0o600)
        paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def _sign(
        self, common_name: str, key: EllipticCurvePrivateKey, *, is_authority: bool, names: Sequence[str] = ()
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + self._begins)
            .not_valid_after(now + self._ends)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .add_extension(_usage(is_authority), critical=True)
            .add_extension(_reached_as(names), critical=False)
        )
        return builder.sign(self._key, SHA256())


def _reached_as(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address("127.0.0.1")), *(x509.DNSName(name) for name in names)]
    )


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def certificate_request(common_name: str) -> bytes:
    """Return a certificate signing request in PEM, signed by a new key that is then discarded."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(generate_private_key(SECP256R1()), SHA256()).public_bytes(Encoding.PEM)


def client_certificate(certificate: Path, key: Path) -> TlsFiles:
    """Return a certificate and its key as `TlsFiles`, the form in which the TLS client gets them from a gateway's
    identity."""
    return TlsFiles(certificate, key.read_bytes())


def certificate_revocation_list(issuer: str) -> bytes:
    """Return a certificate revocation list in PEM without a CRL number, signed by a new key that is then discarded."""
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(now).next_update(now + _DAY)
    return builder.sign(generate_private_key(SECP256R1()), SHA256()).public_bytes(Encoding.PEM)
