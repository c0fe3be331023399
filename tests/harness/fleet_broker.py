"""A real mosquitto with the configuration that the product generates: TLS, certificates, one listener for vehicles and
one for the cloud.

Only paths and ports differ from an installation. The product's own functions admit the gateways and issue the
certificates, so the test results hold for the configuration that the guide describes.
"""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time_ns

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud.vehicles.fleet.authority import (
    REVOCATION_DAYS,
    Authority,
    Revocation,
    create_authority,
    issue_client,
    issue_server,
    revocation_list,
)
from cloud.vehicles.fleet.broker_configuration import (
    AUTHORITIES_FILE,
    REVOKED_FILE,
    RIGHTS_FILE,
    AdmittedGateway,
    BrokerLayout,
    find_plugin,
    mosquitto_settings,
)
from cloud.vehicles.fleet.broker_rights import CloudLogin, cloud_username, rights_file
from cloud.vehicles.ingest import BrokerAddress as CloudAddress
from cloud.vehicles.ingest import BrokerConnection, IngestSettings
from gateway.sync.inbox import Message
from gateway.sync.mqtt import BrokerAddress as GatewayAddress
from gateway.sync.mqtt import MqttSession
from protocols.uplink.mqtt_packets import ReceivedMessage
from simulators.demo.broker import mosquitto_program
from simulators.demo.free_ports import free_port
from simulators.demo.readiness import listens
from tests.harness.eventually import eventually

CLOUD_PASSWORD = "the password of the cloud"
CLOUD_LOGIN = CloudLogin(cloud_username(CLOUD_PASSWORD), CLOUD_PASSWORD)


def now_us() -> int:
    """Return the machine's time: certificates need it, because TLS libraries check them by the machine's clock."""
    return time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Credentials:
    """The certificate and the key of a vehicle, as files, and the certificate's common name."""

    common_name: str
    certificate: Path
    key: Path

    @property
    def public_key(self) -> EllipticCurvePublicKey:
        key = x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_key()
        assert isinstance(key, EllipticCurvePublicKey)
        return key

    def with_certificate(self, certificate: x509.Certificate) -> "Credentials":
        """Return credentials with the same key and this certificate, written to a new file."""
        path = self.certificate.with_suffix(f".{certificate.serial_number}.pem")
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return replace(self, certificate=path)


class FleetBroker:
    """A mosquitto process with its configuration, its certificate authority and the files of rights and revocations.
    `authority` None: a new one."""

    def __init__(self, folder: Path, authority: Authority | None = None) -> None:
        program = mosquitto_program()
        if program is None:
            pytest.skip("mosquitto is not installed")
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self.folder = folder
        live = folder / "live"
        live.mkdir(parents=True)
        self.layout = BrokerLayout(
            live=live,
            plugin=find_plugin(),
            folder=folder,
            vehicles_port=free_port(),
            vehicles_address="127.0.0.1",
            cloud_port=free_port(),
            cloud_address="127.0.0.1",
            certificate=folder / "broker.pem",
            key=folder / "broker.key",
        )
        self.authority = authority or create_authority("aut_1", "Test fleet", now_us())
        certificate, key = issue_server(self.authority, ["127.0.0.1"], days=1, now_us=now_us())
        self.layout.certificate.write_bytes(certificate)
        self.layout.key.write_bytes(key)
        self.ca_file = live / AUTHORITIES_FILE
        self.ca_file.write_bytes(self.authority.certificate_pem)
        self.admit()
        self.revoke()
        # mosquitto drops root for a user that cannot read a test's folder.
        root = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(mosquitto_settings(self.layout) + root)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def credentials(self, common_name: str, *, authority: Authority | None = None) -> Credentials:
        """Issue a certificate with a new key for a vehicle of this common name, by default from the broker's own
        authority."""
        key = generate_private_key(SECP256R1())
        made = issue_client(authority or self.authority, key.public_key(), common_name, days=1, now_us=now_us())
        paths = Credentials(
            common_name, self.folder / f"{made.serial_number}.pem", self.folder / f"{made.serial_number}.key"
        )
        paths.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        paths.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def admit(self, *gateways: AdmittedGateway) -> None:
        """Write a rights file that admits these gateways and no others; it takes effect at the broker's next start."""
        (self.layout.live / RIGHTS_FILE).write_bytes(rights_file(CLOUD_LOGIN, gateways))
        (self.layout.live / f"{RIGHTS_FILE}.new").mkdir(exist_ok=True)

    def revoke(self, *serials: int) -> None:
        """Write a revocation list of these certificates; it takes effect at the broker's next start or at `reload`."""
        entries: Iterable[Revocation] = [Revocation(serial, now_us(), False) for serial in serials]
        (self.layout.live / REVOKED_FILE).write_bytes(revocation_list(self.authority, entries, now_us=now_us()))

    def revoke_with_expired_list(self) -> None:
        """Write an empty revocation list that expired a minute ago."""
        made_at_us = now_us() - (REVOCATION_DAYS * 86_400 + 60) * 1_000_000
        pem = revocation_list(self.authority, (), now_us=made_at_us)
        (self.layout.live / REVOKED_FILE).write_bytes(pem)

    def reload(self) -> None:
        """Send the broker SIGHUP, as the product's systemd path unit does, so that it reads its files again."""
        os.kill(self.pid, signal.SIGHUP)

    async def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program, "-c", str(self.folder / "mosquitto.conf"), stdout=log, stderr=log
            )
        for port in (self.layout.vehicles_port, self.layout.cloud_port):
            await eventually(lambda port=port: listens(port), what="mosquitto accepts connections")

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def tls(self, credentials: Credentials | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if credentials is not None:
            context.load_cert_chain(credentials.certificate, credentials.key)
        return context

    async def vehicle(
        self,
        credentials: Credentials,
        *,
        client_id: str | None = None,
        username: str | None = None,
        will: Message | None = None,
    ) -> MqttSession:
        """Open an MQTT session at the vehicles' listener; the client id is by default the certificate's common name.

        With a `username`, a wrong password is sent as well. Raises `MqttUnavailable`.
        """
        address = GatewayAddress(
            host="127.0.0.1",
            port=self.layout.vehicles_port,
            username=username,
            password=None if username is None else "guessed",
            tls=self.tls(credentials),
        )
        return await MqttSession.open(address, client_id=client_id or credentials.common_name, will=will)

    @property
    def cloud_address(self) -> CloudAddress:
        """Return address and login of the cloud's listener in the form of the cloud's settings."""
        return CloudAddress(
            url=f"mqtts://127.0.0.1:{self.layout.cloud_port}",
            username=CLOUD_LOGIN.username,
            password=CLOUD_LOGIN.password,
            ca_file=str(self.ca_file),
        )

    def settings_lines(self) -> str:
        """Return the sections of this broker for a settings file of the cloud."""
        password_file = self.folder / "cloud-password"
        password_file.write_text(CLOUD_PASSWORD + "\n")
        password_file.chmod(0o600)
        return (
            f'[mqtt]\nurl = "{self.cloud_address.url}"\npassword_file = "{password_file}"\nca_file = "{self.ca_file}"\n'
            f'[broker]\ndirectory = "{self.layout.live}"\n'
        )

    @asynccontextmanager
    async def cloud(self, *filters: str) -> AsyncIterator["CloudClient"]:
        """Yield a client that is connected to the cloud's listener and subscribed to these topic filters."""
        client = CloudClient()
        connection = await BrokerConnection.open(
            self.cloud_address, client_id="test-cloud", settings=IngestSettings(), heard=client.take
        )
        client.connection = connection
        try:
            for each in filters:
                assert await connection.subscribe(each)
            yield client
        finally:
            await connection.close()


class CloudClient:
    """A connection to the cloud's listener; `received` has the topic and payload of each message so far."""

    connection: BrokerConnection

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []

    def take(self, connection: BrokerConnection, message: ReceivedMessage) -> None:
        self.received.append((message.topic, message.payload))
        connection.puback(message)


@asynccontextmanager
async def fleet_broker(folder: Path, *gateways: AdmittedGateway) -> AsyncIterator[FleetBroker]:
    """Run a broker that admits these gateways; kill it after the block."""
    broker = FleetBroker(folder)
    broker.admit(*gateways)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()
