"""One MQTT connection to a real broker: who is admitted, which error a refusal raises, and how the connection ends."""

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.inbox import INBOUND_MAX, Message
from gateway.sync.mqtt import BrokerAddress, MqttSession
from gateway.sync.mqtt_errors import MqttRefused, MqttTakenOver, MqttUnavailable
from gateway.sync.settings import UplinkSettings, broker_address
from gateway.transports.clock import SystemClock
from protocols.uplink.broker import PUBLISH_WINDOW_MAX, parse_broker_url
from protocols.uplink.limits import ENVELOPE_BYTES_MAX
from simulators.demo.free_ports import free_port
from tests.harness.broker import CLOUD_USER, GATEWAY, TENANT, Broker, broker_running, password_of, running
from tests.harness.certificates import Authority, client_certificate
from tests.harness.eventually import eventually

pytestmark = pytest.mark.broker
CLOCK = TrustedClock(SystemClock(), disciplined=lambda: 1)
OWN = f"argus/v1/{TENANT}/{GATEWAY}"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker") as broker:
        yield broker


def address(broker: Broker, user: str = GATEWAY, password: str | None = None) -> BrokerAddress:
    return BrokerAddress(
        host="127.0.0.1", port=broker.port, username=user, password=password or password_of(user), tls=None
    )


async def cloud_session(broker: Broker, topic: str) -> MqttSession:
    session = await MqttSession.open(address(broker, CLOUD_USER), client_id="cloud")
    await session.subscribe(topic)
    return session


async def test_largest_allowed_envelope_is_published(broker):
    cloud = await cloud_session(broker, f"{OWN}/up/+")
    # The cloud's side of this session accepts small packets only, so the PUBACK alone proves the large one.
    session = await MqttSession.open(address(broker), client_id="gw")
    await session.publish(f"{OWN}/up/waveform", bytes(ENVELOPE_BYTES_MAX))
    await session.publish(f"{OWN}/up/numeric", b"small")
    assert await cloud.receive() == Message(f"{OWN}/up/numeric", b"small")
    await session.close()
    await cloud.close()


async def test_publish_forbidden_by_the_broker_acl_raises_mqtt_refused(broker):
    session = await MqttSession.open(address(broker), client_id="gw")
    with pytest.raises(MqttRefused, match="Not authorized"):
        await session.publish(f"argus/v1/{TENANT}/gw_other/up/numeric", b"another's")
    assert not session.ended.done()
    await session.close()


async def test_gateway_receives_only_messages_on_its_own_topics(broker):
    session = await MqttSession.open(address(broker), client_id="gw")
    await session.subscribe(f"{OWN}/down/ack")
    with pytest.raises(MqttRefused, match="Not authorized"):
        await session.subscribe(f"argus/v1/{TENANT}/gw_other/down/ack")
    cloud = await MqttSession.open(address(broker, CLOUD_USER), client_id="cloud")
    await cloud.publish(f"argus/v1/{TENANT}/gw_other/down/ack", b"for another")
    await cloud.publish(f"{OWN}/down/ack", b"for us")
    assert (await session.receive()).payload == b"for us"
    await session.close()
    await cloud.close()


async def test_publish_calls_wait_in_order_while_the_limit_of_messages_in_flight_is_reached(broker):
    cloud = await cloud_session(broker, f"{OWN}/up/+")
    session = await MqttSession.open(address(broker), client_id="gw")
    answers = []
    for number in range(5 * PUBLISH_WINDOW_MAX):
        await session.slot()
        answers.append(session.publish(f"{OWN}/up/numeric", str(number).encode()))
        assert sum(not answer.done() for answer in answers) <= PUBLISH_WINDOW_MAX
    await asyncio.gather(*answers)
    assert [int((await cloud.receive()).payload) for _ in answers] == list(range(5 * PUBLISH_WINDOW_MAX))
    await session.close()
    await cloud.close()


async def test_session_ends_as_taken_over_when_a_second_client_connects_with_the_same_client_id(broker):
    first = await MqttSession.open(address(broker), client_id="gw")
    second = await MqttSession.open(address(broker), client_id="gw")
    with pytest.raises(MqttTakenOver):
        await first.receive()
    await second.close()


async def test_mqtt_will_is_published_after_a_lost_connection_and_not_after_a_disconnect(broker):
    cloud = await cloud_session(broker, f"{OWN}/status")
    will = Message(f"{OWN}/status", b"gone")
    polite = await MqttSession.open(address(broker), client_id="gw", will=will)
    await polite.close()
    vanishing = await MqttSession.open(address(broker), client_id="gw", will=will)
    vanishing.end("the vehicle drove into a tunnel")
    assert (await cloud.receive()).payload == b"gone"
    await cloud.close()


async def test_pending_publish_and_receive_fail_when_the_broker_is_killed(broker):
    session = await MqttSession.open(address(broker), client_id="gw")
    broker.freeze()
    unanswered = session.publish(f"{OWN}/up/numeric", b"into the dark")
    hearing = asyncio.create_task(session.receive())
    await broker.kill()
    for waiting in (unanswered, hearing):
        with pytest.raises(MqttUnavailable):
            await waiting
    with pytest.raises(MqttUnavailable):
        session.publish(f"{OWN}/up/numeric", b"too late")
    with pytest.raises(MqttUnavailable):
        await session.slot()
    await session.close()


async def test_connection_loss_with_unawaited_publish_results_logs_no_error(broker, recwarn):
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    session = await MqttSession.open(address(broker), client_id="gw")
    answers = [session.publish(f"{OWN}/up/numeric", b"x") for _ in range(3)]
    await broker.kill()
    await eventually(session.ended.done)
    del session, answers
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def test_oldest_received_messages_are_dropped_when_the_queue_is_full(broker):
    session = await MqttSession.open(address(broker), client_id="gw")
    await session.subscribe(f"{OWN}/down/ack")
    cloud = await MqttSession.open(address(broker, CLOUD_USER), client_id="cloud")
    await asyncio.gather(*[cloud.publish(f"{OWN}/down/ack", str(number).encode()) for number in range(400)])
    await eventually(lambda: len(session._inbox) == INBOUND_MAX and session._inbox._messages[-1].payload == b"399")
    assert (await session.receive()).payload == b"144"
    await session.close()
    await cloud.close()


async def test_connect_with_a_wrong_password_fails_with_not_authorized(broker):
    with pytest.raises(MqttUnavailable, match="does not take this gateway: Not authorized"):
        await MqttSession.open(address(broker, password="wrong"), client_id="gw")


async def test_connect_fails_when_the_packet_limit_of_the_broker_is_too_small(tmp_path):
    async with running(Broker(tmp_path / "small", packet_bytes_max=65_536)) as broker:
        with pytest.raises(MqttUnavailable, match="raise its max_packet_size"):
            await MqttSession.open(address(broker), client_id="gw")


async def test_connect_to_a_closed_port_fails_with_connection_refused():
    nobody = BrokerAddress(host="127.0.0.1", port=free_port(), username=None, password=None, tls=None)
    with pytest.raises(MqttUnavailable, match="Connection refused"):
        await MqttSession.open(nobody, client_id="gw")


async def test_connect_error_for_an_unresolvable_host_names_the_host_and_the_port():
    nowhere = BrokerAddress(host="broker.invalid", port=1883, username=None, password=None, tls=None)
    with pytest.raises(MqttUnavailable, match=r"broker\.invalid:1883"):
        await MqttSession.open(nowhere, client_id="gw")


async def test_connect_to_a_broker_that_does_not_respond_times_out(monkeypatch):
    monkeypatch.setattr("gateway.sync.mqtt.CONNECT_S_MAX", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = BrokerAddress(host="127.0.0.1", port=listener.getsockname()[1], username=None, password=None, tls=None)
        with pytest.raises(MqttUnavailable, match="did not respond in time"):
            await MqttSession.open(silent, client_id="gw")


async def test_cancelled_connect_closes_its_socket():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        silent = BrokerAddress(host="127.0.0.1", port=listener.getsockname()[1], username=None, password=None, tls=None)
        opening = asyncio.create_task(MqttSession.open(silent, client_id="gw"))
        accepted, _ = await asyncio.to_thread(listener.accept)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        with accepted:
            accepted.settimeout(5)

            def rest() -> bytes:
                while octets := accepted.recv(1024):
                    assert octets.startswith(b"\x10")  # CONNECT
                return b"end"

            assert await asyncio.to_thread(rest) == b"end"


async def test_broker_takes_the_gateway_name_from_the_client_certificate(tmp_path):
    authority = Authority(tmp_path / "ca")
    authority.issue("broker", "broker")
    certificate, key = authority.issue(GATEWAY, "gateway")
    async with running(Broker(tmp_path / "broker", certificates=authority.folder)) as broker:
        settings = UplinkSettings(
            mqtt_url=f"mqtts://127.0.0.1:{broker.port}",
            ca_file=authority.folder / "ca.crt",
            cert_file=certificate,
            key_file=key,
        )
        session = await MqttSession.open(broker_address(settings, None, CLOCK), client_id="gw")
        await session.publish(f"{OWN}/up/numeric", bytes(100_000))
        with pytest.raises(MqttRefused):
            await session.publish(f"argus/v1/{TENANT}/gw_other/up/numeric", b"another's")
        await session.close()


async def test_identity_certificate_is_used_when_the_settings_name_no_certificate(tmp_path):
    authority = Authority(tmp_path / "ca")
    authority.issue("broker", "broker")
    beside = client_certificate(*authority.issue(GATEWAY, "gateway"))
    async with running(Broker(tmp_path / "broker", certificates=authority.folder)) as broker:
        settings = UplinkSettings(mqtt_url=f"mqtts://127.0.0.1:{broker.port}", ca_file=authority.folder / "ca.crt")
        session = await MqttSession.open(broker_address(settings, beside, CLOCK), client_id="gw")
        await session.publish(f"{OWN}/up/numeric", b"x")
        await session.close()


async def test_broker_that_requires_client_certificates_rejects_a_client_without_a_certificate(tmp_path):
    authority = Authority(tmp_path / "ca")
    authority.issue("broker", "broker")
    async with running(Broker(tmp_path / "broker", certificates=authority.folder)) as broker:
        settings = UplinkSettings(mqtt_url=f"mqtts://127.0.0.1:{broker.port}", ca_file=authority.folder / "ca.crt")
        with pytest.raises(MqttUnavailable):
            await MqttSession.open(broker_address(settings, None, CLOCK), client_id="gw")


async def test_broker_certificate_of_another_authority_is_rejected(tmp_path):
    authority = Authority(tmp_path / "ca")
    authority.issue("broker", "broker")
    stranger = Authority(tmp_path / "stranger")
    beside = client_certificate(*authority.issue(GATEWAY, "gateway"))
    async with running(Broker(tmp_path / "broker", certificates=authority.folder)) as broker:
        settings = UplinkSettings(mqtt_url=f"mqtts://127.0.0.1:{broker.port}", ca_file=stranger.folder / "ca.crt")
        with pytest.raises(MqttUnavailable, match="certificate verify failed"):
            await MqttSession.open(broker_address(settings, beside, CLOCK), client_id="gw")


def test_broker_url_is_parsed_into_host_and_port_and_use_of_tls():
    assert parse_broker_url("mqtt://broker.example") == ("broker.example", 1883, False)
    assert parse_broker_url("mqtts://broker.example") == ("broker.example", 8883, True)
    assert parse_broker_url("mqtt://[::1]:1884") == ("::1", 1884, False)


@pytest.mark.parametrize("url", ["", "broker", "http://broker", "mqtt://", "mqtt:broker"])
def test_invalid_broker_url_is_rejected_by_the_settings(url: str):
    with pytest.raises(ValueError, match="mqtt://HOST:PORT"):
        UplinkSettings(mqtt_url=url)


def test_error_for_an_unreadable_password_file_names_the_file(tmp_path):
    settings = UplinkSettings(mqtt_url="mqtt://h", username="u", password_file=tmp_path / "absent")
    with pytest.raises(MqttUnavailable, match="absent cannot be used: No such file"):
        broker_address(settings, None, CLOCK)


def test_invalid_client_certificate_file_is_reported(tmp_path):
    (tmp_path / "cert").write_text("no certificate")
    settings = UplinkSettings(mqtt_url="mqtts://h", cert_file=tmp_path / "cert", key_file=tmp_path / "cert")
    with pytest.raises(MqttUnavailable, match="cannot be used"):
        broker_address(settings, None, CLOCK)


def test_printed_broker_address_contains_no_password(tmp_path):
    (tmp_path / "password").write_text("sesame\nsecond line\n")
    settings = UplinkSettings(mqtt_url="mqtt://h", username="u", password_file=tmp_path / "password")
    found = broker_address(settings, None, CLOCK)
    assert found.password == "sesame"
    assert "sesame" not in f"{found!r} {found}"
