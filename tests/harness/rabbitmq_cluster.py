"""A real RabbitMQ cluster of three nodes on loopback, with the configuration that the product generates.

Only names, ports and folders differ from an installation; a certificate authority, the definitions and the rights are
the product's own. Each node is a process group of its own and can be killed (SIGKILL) and started again. The nodes find
each other through an `epmd` of their own, so that a RabbitMQ that runs on this machine is not affected.
"""

import os
import secrets
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud.vehicles.fleet.authority import Authority, create_authority, issue_client, issue_server
from cloud.vehicles.fleet.broker_rights import CloudLogin, cloud_username
from cloud.vehicles.fleet.cluster_url import ClusterUrl
from cloud.vehicles.fleet.rabbitmq_configuration import RabbitmqLayout, rabbitmq_files
from cloud.vehicles.fleet.rabbitmq_management import RabbitmqManagement
from cloud.vehicles.fleet.rabbitmq_topology import definitions_file
from cloud.vehicles.ingest.broker import ClusterAddress
from simulators.demo.free_ports import free_port
from simulators.demo.readiness import listens
from tests.harness.eventually import eventually
from tests.harness.fleet_broker import Credentials, now_us

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
NODES = 3
START_S_MAX = 90.0
"""Time for a node to start: 12 s on an idle machine, with three at once on two loaded cores several times that."""


@dataclass(slots=True)
class Node:
    """One node: its name, its folder, its listeners, and its process while it runs."""

    name: str
    folder: Path
    layout: RabbitmqLayout
    distribution_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


class RabbitmqCluster:
    """Three nodes with their certificate authority and the cloud's login."""

    def __init__(self, folder: Path, authority: Authority, password: str) -> None:
        if not PROGRAM.exists():
            pytest.fail("rabbitmq-server is not installed: apt-get install rabbitmq-server")
        self.folder = folder
        self.authority = authority
        self.login = CloudLogin(cloud_username(password), password)
        self.ca_file = folder / "authorities.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self.ca_file.write_bytes(authority.certificate_pem)
        self._epmd_port = free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._cookie = secrets.token_hex(16)
        names = [f"argus{number}@localhost" for number in range(1, NODES + 1)]
        self.nodes = [self._make_node(name, names) for name in names]

    def _make_node(self, name: str, names: Sequence[str]) -> Node:
        folder = self.folder / name.partition("@")[0]
        folder.mkdir()
        layout = RabbitmqLayout(
            nodes=names,
            folder=folder,
            address="127.0.0.1",
            vehicles_port=free_port(),
            cloud_port=free_port(),
            management_port=free_port(),
        )
        certificate, key = issue_server(self.authority, ["127.0.0.1", "localhost"], days=1, now_us=now_us())
        for path, text in rabbitmq_files(layout).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        layout.certificate.write_bytes(certificate)
        layout.key.write_bytes(key)
        layout.authorities.write_bytes(self.authority.certificate_pem)
        layout.definitions.write_bytes(definitions_file(self.login))
        return Node(name, folder, layout, free_port())

    # ---- processes

    async def start(self) -> None:
        """Start all nodes and return when they are one cluster."""
        self._launch_epmd()
        for node in self.nodes:
            self.launch(node)
        await self.ready(NODES)

    def _launch_epmd(self) -> None:
        words = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        self._epmd = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def launch(self, node: Node) -> None:
        """Start the process of a node, in a process group of its own, and return at once."""
        environment = {
            "HOME": str(node.folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": node.name,
            "RABBITMQ_CONFIG_FILES": str(node.layout.folder / "conf.d"),
            "RABBITMQ_CONF_ENV_FILE": str(node.folder / "no-environment.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(node.layout.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(node.folder / "data"),
            "RABBITMQ_LOG_BASE": str(node.folder / "logs"),
            "RABBITMQ_PID_FILE": str(node.folder / "pid"),
            "RABBITMQ_DIST_PORT": str(node.distribution_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # One scheduler: three nodes share the two cores of this machine with the cloud and the vehicles.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-setcookie {self._cookie} -kernel inet_dist_use_interface {{127,0,0,1}} +S 1:1 +sbwt none"
            ),
        }
        with (node.folder / "log").open("ab") as log:
            node.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", str(PROGRAM)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def kill(self, node: Node) -> None:
        """Kill a node (SIGKILL): the Erlang machine and everything that it has started."""
        if node.process is not None:
            os.killpg(node.process.pid, signal.SIGKILL)
            node.process.wait()
            node.process = None

    async def ready(self, running: int) -> None:
        """Wait until the management API of a node reports that this many nodes run, and all of them listen."""

        async def complete() -> bool:
            management = self.management()
            try:
                return sum(node.running for node in await management.nodes()) == running
            except Exception:
                dead = [
                    node.name for node in self.nodes if node.process is not None and node.process.poll() is not None
                ]
                assert not dead, f"{dead} ended: {self.nodes[0].log[-2000:]}"
                return False
            finally:
                await management.close()

        await eventually(complete, within_s=START_S_MAX, poll_s=0.5, what=f"{running} nodes form the cluster")
        for node in self.nodes:
            for port in (node.layout.vehicles_port, node.layout.cloud_port) if node.process is not None else ():
                await eventually(lambda port=port: listens(port), within_s=START_S_MAX, what=f"{node.name} listens")

    def stop(self) -> None:
        """Kill everything."""
        for node in self.nodes:
            self.kill(node)
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()

    # ---- addresses and clients

    def address(self, *, queues: int) -> ClusterAddress:
        """Return the nodes as ingest connects to them."""
        return ClusterAddress(
            nodes=ClusterUrl("amqps", tuple(("127.0.0.1", node.layout.cloud_port) for node in self.nodes)),
            username=self.login.username,
            password=self.login.password,
            ca_file=str(self.ca_file),
            queues=queues,
        )

    def management_url(self) -> ClusterUrl:
        return ClusterUrl("https", tuple(("127.0.0.1", node.layout.management_port) for node in self.nodes))

    def management(self) -> RabbitmqManagement:
        """Return a client of the management API, with the cloud's login."""
        return RabbitmqManagement(self.management_url(), self.login, self.tls())

    def settings_lines(self, *, queues: int) -> str:
        """Return the sections of this cluster for a settings file of the cloud."""
        password_file = self.folder / "cloud-password"
        password_file.write_text(self.login.password + "\n")
        password_file.chmod(0o600)
        return (
            f'[mqtt]\nurl = "{self.address(queues=queues).nodes.text}"\npassword_file = "{password_file}"\n'
            f'ca_file = "{self.ca_file}"\n'
            f'[rabbitmq]\nmanagement_url = "{self.management_url().text}"\nqueues = {queues}\n'
        )

    def tls(self, credentials: Credentials | None = None) -> ssl.SSLContext:
        """Return the TLS context of a client, with a vehicle's certificate if there is one."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if credentials is not None:
            context.load_cert_chain(credentials.certificate, credentials.key)
        return context

    def credentials(self, gateway_id: str) -> Credentials:
        """Issue a certificate with a new key for a vehicle."""
        key = generate_private_key(SECP256R1())
        made = issue_client(self.authority, key.public_key(), gateway_id, days=1, now_us=now_us())
        paths = Credentials(
            gateway_id, self.folder / f"{made.serial_number}.pem", self.folder / f"{made.serial_number}.key"
        )
        paths.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        paths.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths


@asynccontextmanager
async def rabbitmq_cluster(folder: Path, authority: Authority | None = None) -> AsyncIterator[RabbitmqCluster]:
    """Run a cluster; kill it after the block."""
    cluster = RabbitmqCluster(
        folder, authority or create_authority("aut_1", "Test fleet", now_us()), secrets.token_urlsafe(24)
    )
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.stop()
