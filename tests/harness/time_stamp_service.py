"""A time-stamping service (RFC 3161): `openssl ts -reply` behind an HTTP server on loopback."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CONFIG = """
[tsa]
default_tsa = one
[one]
dir = {folder}
serial = {folder}/serial
signer_cert = {folder}/service.pem
certs = {folder}/root.pem
signer_key = {folder}/service.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
"""


class TimeStampResponder:
    """The running service. `root` is the PEM file of its root certificate. While `status` is not 200, it responds with
    that status; with `replayed` it responds with that earlier response."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / "root.pem"
        self.url = ""
        self.status = 200
        self.replayed: bytes | None = None
        self.responses: list[bytes] = []
        self.requests = 0

    async def respond(self, request: web.Request) -> web.Response:
        self.requests += 1
        assert request.content_type == "application/timestamp-query"
        query, reply = self._folder / "query.tsq", self._folder / "reply.tsr"
        query.write_bytes(await request.read())
        if self.status != 200:
            return web.Response(status=self.status)
        if self.replayed is None:
            words = ("ts", "-reply", "-queryfile", query, "-config", self._folder / "tsa.cnf", "-out", reply)
            child = await asyncio.create_subprocess_exec(
                "openssl", *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            output, _ = await child.communicate()
            assert child.returncode == 0, output
            self.responses.append(reply.read_bytes())
        body = self.replayed or self.responses[-1]
        return web.Response(body=body, content_type="application/timestamp-reply")


def _certificate(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, signed_by: ec.EllipticCurvePrivateKey, *, is_root: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (name, issuer)]
    usage = [ExtendedKeyUsageOID.TIME_STAMPING]
    made = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()), critical=False)
    )
    if not is_root:
        made = made.add_extension(x509.ExtendedKeyUsage(usage), critical=True)
    return made.sign(signed_by, SHA256())


def write_authority(folder: Path) -> None:
    """Write the certificates, the key and the settings of a service to a folder."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Synthetic root", "Synthetic root", root_key, root_key, is_root=True)
    service = _certificate("Synthetic time stamps", "Synthetic root", key, root_key, is_root=False)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "service.pem").write_bytes(service.public_bytes(Encoding.PEM))
    (folder / "service.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))


@asynccontextmanager
async def time_stamp_service(folder: Path) -> AsyncIterator[TimeStampResponder]:
    """Run the service on a free port."""
    write_authority(folder)
    responder = TimeStampResponder(folder)
    app = web.Application()
    app.router.add_post("/tsr", responder.respond)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    addresses: Sequence[tuple[str, int]] = runner.addresses
    responder.url = f"http://127.0.0.1:{addresses[0][1]}/tsr"
    try:
        yield responder
    finally:
        await runner.cleanup()
