"""A real mosquitto for one test: on a free loopback port, with a password file and the product's access rights.

One listener accepts both gateways and the cloud, which is enough for most tests. `fleet_broker` has the listeners and
limits of an installation. The rights file is the one that the product generates, so test results hold for the product.
`CLOUD_USER` is the user name of the cloud at the broker.
"""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from cloud.vehicles.fleet.broker_configuration import IN_FLIGHT_MESSAGES_MAX, RIGHTS_FILE, AdmittedGateway, find_plugin
from cloud.vehicles.fleet.broker_rights import CloudLogin, rights_file
from protocols.uplink.limits import PACKET_BYTES_MAX
from simulators.demo.broker import CLOUD_USER, mosquitto_program, write_passwords
from simulators.demo.free_ports import free_port
from simulators.demo.plan import PlanUnusable
from tests.harness.eventually import eventually

TENANT = "ten_test"
GATEWAY = "gw_test"


def password_of(user: str) -> str:
    """Return the password of a test user, which is derived from the user's name."""
    return f"password of {user}"


class Broker:
    """A mosquitto process that can be killed and restarted on the same port. `folder` holds its files.

    `in_flight_max` limits the messages in flight to and from each client. `cloud_denied` is a topic on which the cloud
    may not publish. With `certificates` (a folder), clients sign in with certificates instead of passwords.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tenant: str = TENANT,
        gateways: Sequence[str] = (GATEWAY,),
        persistence: bool = False,
        packet_bytes_max: int = PACKET_BYTES_MAX,
        in_flight_max: int = IN_FLIGHT_MESSAGES_MAX,
        cloud_denied: str | None = None,
        certificates: Path | None = None,
    ) -> None:
        program = mosquitto_program()
        if program is None:
            pytest.skip("mosquitto is not installed")
        self._program = program
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._write_passwords([*gateways, CLOUD_USER])
        self._write_rights([AdmittedGateway(gateway, tenant) for gateway in gateways], cloud_denied)
        self._write_configuration(persistence, packet_bytes_max, in_flight_max, certificates)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def password_file(self, user: str) -> Path:
        """Write the user's password to a file that a gateway's settings can name; return its path."""
        path = self._folder / f"{user}.password"
        path.write_text(password_of(user) + "\n")
        path.chmod(0o600)
        return path

    async def start(self) -> None:
        """Start the stopped broker and return when it accepts connections."""
        assert self._process is None
        log = (self._folder / "log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            self._program, "-c", str(self._folder / "mosquitto.conf"), stdout=log, stderr=log
        )
        log.close()
        await eventually(self._accepts, what="mosquitto accepts connections")

    async def kill(self) -> None:
        """Kill the broker (SIGKILL); everything that it held in memory is lost."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop the broker in order (SIGTERM) and wait until it has ended."""
        await self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Suspend the broker (SIGSTOP): connections stay open without any response, as over a dead radio link."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the suspended broker."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            if how is not signal.SIGKILL:
                self._process.send_signal(signal.SIGCONT)
            await self._process.wait()
        self._process = None

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _write_passwords(self, users: Sequence[str]) -> None:
        try:
            write_passwords(self._folder / "passwords", {user: password_of(user) for user in users})
        except PlanUnusable as error:
            pytest.skip(str(error))

    def _write_rights(self, admitted: Sequence[AdmittedGateway], cloud_denied: str | None) -> None:
        rights = orjson.loads(rights_file(CloudLogin(CLOUD_USER, password_of(CLOUD_USER)), admitted))
        if cloud_denied is not None:
            denied = {"acltype": "publishClientSend", "topic": cloud_denied, "allow": False, "priority": 1}
            rights["roles"][0]["acls"].append(denied)
        (self._folder / RIGHTS_FILE).write_bytes(orjson.dumps(rights))

    def _write_configuration(
        self, persistence: bool, packet_bytes_max: int, in_flight_max: int, certificates: Path | None
    ) -> None:
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"plugin {find_plugin()}",
            f"plugin_opt_config_file {self._folder / RIGHTS_FILE}",
            f"max_packet_size {packet_bytes_max}",
            "set_tcp_nodelay true",
            "connection_messages true",
            f"max_inflight_messages {in_flight_max}",
            "max_queued_messages 10000",
        ]
        if certificates is None:
            lines += ["allow_anonymous false", f"password_file {self._folder / 'passwords'}"]
        else:
            lines += [
                f"cafile {certificates / 'ca.crt'}",
                f"certfile {certificates / 'broker.crt'}",
                f"keyfile {certificates / 'broker.key'}",
                "require_certificate true",
                "use_identity_as_username true",
            ]
        if persistence:
            lines += ["persistence true", f"persistence_location {self._folder}/", "autosave_interval 1800"]
        if os.geteuid() == 0:
            # mosquitto drops root for a user that cannot read a test's folder.
            lines.append("user root")
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def broker_running(
    folder: Path, *, gateways: Sequence[str] = (GATEWAY,), persistence: bool = False
) -> AsyncIterator[Broker]:
    """Run a broker with these gateways' accounts; kill it after the block. For other settings use `running`."""
    async with running(Broker(folder, gateways=gateways, persistence=persistence)) as broker:
        yield broker


@asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[Broker]:
    """Start this broker; kill it after the block."""
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()
