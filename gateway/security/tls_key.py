"""Key of the gateway's client certificate for the broker: made here, and passed to OpenSSL without a file on a disk.

OpenSSL reads a key only from a path. A memory file (`memfd_create`) has a path under `/proc/self/fd` and is never
written to a disk. `/proc/self` exists for a process also with systemd's ProtectProc= and ProcSubset=.
"""

import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


def create_tls_key(gateway: str) -> tuple[bytes, bytes]:
    """Return a new key (P-256, which every TPM and every TLS library supports) and its certificate request, in PEM."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        request.public_bytes(Encoding.PEM),
    )


def load_client_certificate(context: ssl.SSLContext, certificate: Path, key: bytes) -> None:
    """Let `context` authenticate with a certificate and its `key` in PEM. Raises OSError where they do not match."""
    descriptor = os.memfd_create("argus-tls-key", os.MFD_CLOEXEC)
    try:
        written = 0
        while written < len(key):
            written += os.write(descriptor, key[written:])
        # OpenSSL never prompts for a passphrase: no operator is at the terminal of a vehicle.
        context.load_cert_chain(certificate, f"/proc/self/fd/{descriptor}", password="")
    finally:
        os.close(descriptor)
