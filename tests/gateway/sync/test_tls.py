"""The gateway checks the broker's certificate by its own knowledge of the time, so TLS works before the clock is set.

A certificate that becomes valid in a year stands for a valid certificate on a machine whose clock is a year behind.
Clocks are that late on machines without a clock battery, which start in 1970. The broker is a real one, and checks the
gateway's certificate by the system's clock.
"""

import shutil
import socket
import ssl
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.security.identity import TlsFiles
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.mqtt import MqttSession
from gateway.sync.mqtt_errors import MqttUnavailable
from gateway.sync.settings import UplinkSettings, broker_address
from gateway.sync.uplink import Uplink
from gateway.transports.clock import SystemClock
from tests.builders.uplink_gateway import SOON, gateway_store, sending
from tests.harness.broker import GATEWAY, TENANT, Broker, running
from tests.harness.certificates import Authority, client_certificate
from tests.harness.eventually import eventually

pytestmark = pytest.mark.broker
DAY = timedelta(days=1)


class LateClock(SystemClock):
    """The system's clock, but with a wall clock that is behind by `late`, which a test may change."""

    late = timedelta(0)

    def wall_us(self) -> int:
        return super().wall_us() - self.late // timedelta(microseconds=1)


def clock_that_is(*, synchronised: bool) -> TrustedClock:
    return TrustedClock(SystemClock(), disciplined=lambda: 1 if synchronised else None)


@asynccontextmanager
async def broker_valid(folder: Path, begins: timedelta, ends: timedelta):
    """Run a broker whose certificate is valid from now + `begins` until now + `ends`.

    Yield the broker, the certificate file of its authority, and the TLS files of a gateway.
    """
    clients = Authority(folder / "clients")
    servers = Authority(folder / "servers", begins=begins, ends=ends)
    for path in servers.issue("broker", "broker"):
        shutil.copy(path, clients.folder)
    beside = client_certificate(*clients.issue(GATEWAY, "gateway"))
    async with running(Broker(folder / "broker", certificates=clients.folder)) as broker:
        yield broker, servers.folder / "ca.crt", beside


def settings_of(broker: Broker, ca_file: Path) -> UplinkSettings:
    return UplinkSettings(mqtt_url=f"mqtts://127.0.0.1:{broker.port}", ca_file=ca_file)


async def opened(broker: Broker, ca_file: Path, beside: TlsFiles, clock: TrustedClock) -> MqttSession:
    return await MqttSession.open(broker_address(settings_of(broker, ca_file), beside, clock), client_id="gw")


async def test_broker_certificate_valid_from_next_year_is_accepted_while_the_clock_is_not_synchronised(tmp_path):
    async with broker_valid(tmp_path, 364 * DAY, 366 * DAY) as (broker, ca_file, beside):
        session = await opened(broker, ca_file, beside, clock_that_is(synchronised=False))
        assert session.certificate_fault() is None
        await session.close()


async def test_broker_certificate_that_is_not_valid_yet_is_refused_when_the_clock_is_synchronised(tmp_path):
    async with broker_valid(tmp_path, 1 * DAY, 3 * DAY) as (broker, ca_file, beside):
        with pytest.raises(MqttUnavailable, match=r"CN=.* is valid from .*, not yet now"):
            await opened(broker, ca_file, beside, clock_that_is(synchronised=True))


@pytest.mark.parametrize("synchronised", [True, False])
async def test_expired_broker_certificate_is_refused_with_and_without_a_synchronised_clock(
    tmp_path, synchronised: bool
):
    async with broker_valid(tmp_path, -3 * DAY, -1 * DAY) as (broker, ca_file, beside):
        with pytest.raises(MqttUnavailable, match=r"expired at .*; renew it at the broker"):
            await opened(broker, ca_file, beside, clock_that_is(synchronised=synchronised))


@asynccontextmanager
async def uplink_of_a_late_clock(folder: Path, begins: timedelta, ends: timedelta):
    """Connect an uplink on a machine whose clock is ten days behind and not synchronised.

    Yield the uplink and a function that synchronises the clock; its argument is how far the clock is behind afterwards.
    """
    system, known = LateClock(), [0]
    system.late = 10 * DAY
    clock = TrustedClock(system, disciplined=lambda: known[0] or None)

    def learn(late: timedelta) -> None:
        system.late, known[0] = late, 1
        clock.refresh()
        uplink.announce_clock()

    async with gateway_store(folder / "store") as gateway, broker_valid(folder, begins, ends) as (broker, ca, beside):
        identity, settings = replace(gateway.identity, tls=beside), replace(settings_of(broker, ca), reconnect=SOON)
        uplink = Uplink(gateway.buffer, identity, settings, clock, tenant=TENANT, gateway=GATEWAY)
        async with sending(uplink):
            await eventually(lambda: uplink.state.connected, what="a connection of the late clock")
            yield uplink, learn


@pytest.mark.finding("reliability-D")
async def test_uplink_stays_connected_when_the_clock_is_synchronised_after_connecting(tmp_path):
    async with uplink_of_a_late_clock(tmp_path, 364 * DAY, 366 * DAY) as (uplink, learn):
        learn(-365 * DAY)
        await eventually(lambda: not uplink._status_due.is_set(), what="a look at the certificate")
        assert (uplink.state.connected, uplink.state.last_error) == (True, None)


async def test_uplink_disconnects_from_a_broker_with_expired_certificate_when_the_clock_is_synchronised(tmp_path):
    async with uplink_of_a_late_clock(tmp_path, -3 * DAY, -1 * DAY) as (uplink, learn):
        learn(timedelta(0))
        await eventually(lambda: "expired" in (uplink.state.last_error or ""), what="the end of the connection")


async def test_no_mqtt_byte_is_sent_to_a_broker_with_an_expired_certificate(tmp_path):
    """The handshake itself ends the connection, before the caller can send anything."""
    authority = Authority(tmp_path, begins=-3 * DAY, ends=-1 * DAY)
    certificate, key = authority.issue("broker", "broker")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            # The connection ends without the closing alert of TLS.
            with suppress(OSError), connection, serving.wrap_socket(connection, server_side=True) as peer:
                received.append(peer.recv(1))

        server = threading.Thread(target=serve)
        server.start()
        settings = UplinkSettings(mqtt_url="mqtts://127.0.0.1", ca_file=tmp_path / "ca.crt")
        context = broker_address(settings, None, clock_that_is(synchronised=False)).tls
        assert context is not None
        with (
            socket.create_connection(listener.getsockname()) as plain,
            pytest.raises(ssl.SSLCertVerificationError, match="expired"),
        ):
            context.wrap_socket(plain, server_hostname="127.0.0.1")
        server.join(10)
    assert not any(received)


async def test_broker_host_name_and_authority_are_verified_while_the_clock_is_not_synchronised(tmp_path):
    async with broker_valid(tmp_path, 364 * DAY, 366 * DAY) as (broker, ca_file, beside):
        stranger = Authority(tmp_path / "stranger").folder / "ca.crt"
        with pytest.raises(MqttUnavailable, match="certificate verify failed"):
            await opened(broker, stranger, beside, clock_that_is(synchronised=False))
        elsewhere = UplinkSettings(mqtt_url=f"mqtts://ip6-localhost:{broker.port}", ca_file=ca_file)
        address = broker_address(elsewhere, beside, clock_that_is(synchronised=False))
        assert address.tls is not None
        with (
            pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
            socket.create_connection(("127.0.0.1", broker.port)) as plain,
        ):
            address.tls.wrap_socket(plain, server_hostname="ip6-localhost")
