"""Access rights of gateways are sent to a running mosquitto without a restart, and in chunks.

After each new connection to mosquitto, the cloud compares the rights in mosquitto with the expected rights.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from cloud.doctor import _broker_rights
from cloud.foundation.findings import Level
from cloud.settings import read_settings
from cloud.vehicles.fleet.broker_configuration import RIGHTS_FILE, AdmittedGateway
from cloud.vehicles.fleet.broker_rights import CloudLogin, cloud_username, gateway_role, rights_file
from cloud.vehicles.ingest import broker_control
from cloud.vehicles.ingest.broker_control import CHANGES_MAX, BrokerRights, RightsLink, broker_rights
from gateway.sync.mqtt_errors import MqttRefused
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from tests.builders.cloud_settings import settings_file
from tests.harness.eventually import eventually
from tests.harness.fleet_broker import CLOUD_PASSWORD, FleetBroker, fleet_broker

pytestmark = pytest.mark.broker

TENANT = "tnt_a"
FIRST, SECOND = AdmittedGateway("gw_1", TENANT), AdmittedGateway("gw_2", TENANT)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[FleetBroker]:
    async with fleet_broker(tmp_path / "broker", FIRST) as running:
        yield running


@asynccontextmanager
async def link_to(broker: FleetBroker) -> AsyncIterator[RightsLink]:
    link = RightsLink(broker.cloud_address)
    try:
        yield link
    finally:
        await link.close()


async def known(broker: FleetBroker) -> Mapping[str, frozenset[str]]:
    async with broker_rights(broker.cloud_address) as rights:
        return await rights.clients()


async def may_send(broker: FleetBroker, gateway: AdmittedGateway) -> bool:
    """Return whether a client with a new certificate of this gateway can publish in the gateway's tenant."""
    session = await broker.vehicle(broker.credentials(gateway.gateway_id))
    try:
        await session.publish(topics.up(gateway.tenant_id, gateway.gateway_id, Lane.NUMERIC), b"x")
    except MqttRefused:
        return False
    finally:
        await session.close()
    return True


async def test_gateway_registered_while_mosquitto_runs_gets_its_rights_without_a_restart(
    broker: FleetBroker,
) -> None:
    running = await broker.vehicle(broker.credentials(FIRST.gateway_id))
    pid = broker.pid
    assert not await may_send(broker, SECOND)
    async with link_to(broker) as link:
        await link.apply([FIRST, SECOND])
    assert await may_send(broker, SECOND)
    assert not running.ended.done()
    assert broker.pid == pid


async def test_removed_gateway_loses_its_connection_and_rights_and_other_gateways_keep_theirs(
    broker: FleetBroker,
) -> None:
    async with link_to(broker) as link:
        await link.apply([FIRST, SECOND])
        removed, other = [await broker.vehicle(broker.credentials(one.gateway_id)) for one in (FIRST, SECOND)]
        await link.apply([SECOND])
        await eventually(removed.ended.done)
    assert not await may_send(broker, FIRST)
    await other.publish(topics.up(TENANT, SECOND.gateway_id, Lane.NUMERIC), b"still here")
    assert set(await known(broker)) == {SECOND.gateway_id}


async def test_gateway_moved_to_another_tenant_gets_the_rights_of_that_tenant(broker: FleetBroker) -> None:
    moved = AdmittedGateway(FIRST.gateway_id, "tnt_b")
    async with link_to(broker) as link:
        await link.apply([moved])
    assert (await may_send(broker, moved), await may_send(broker, FIRST)) == (True, False)
    async with link_to(broker) as link:
        await link.apply([FIRST])  # the role of the first connection still exists
    assert (await may_send(broker, moved), await may_send(broker, FIRST)) == (False, True)


async def test_large_number_of_gateway_rights_is_sent_to_mosquitto_in_chunks(
    broker: FleetBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_control, "PAGE_CLIENTS", 7)
    fleet = [AdmittedGateway(f"gw_{number:04}", TENANT) for number in range(CHANGES_MAX + 5)]
    async with link_to(broker) as link:
        await link.apply(fleet)
        assert len(await known(broker)) == CHANGES_MAX - 1  # removing the first gateway counts as a change too
        await link.apply(fleet)
        assert set(await known(broker)) == {gateway.gateway_id for gateway in fleet}


async def test_no_request_is_sent_to_mosquitto_while_gateway_list_and_connection_are_unchanged(
    broker: FleetBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Sequence[Mapping[str, object]]] = []
    send = BrokerRights._request

    async def count(rights: BrokerRights, commands: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        requests.append(commands)
        return await send(rights, commands)

    monkeypatch.setattr(BrokerRights, "_request", count)
    admitted = [FIRST]
    async with link_to(broker) as link:
        for _ in range(3):
            await link.apply(admitted)
        assert len(requests) == 1
        await link.apply([FIRST])
        assert len(requests) == 2


async def test_restarted_mosquitto_with_an_outdated_rights_file_gets_the_current_rights(broker: FleetBroker) -> None:
    admitted = [FIRST, SECOND]
    async with link_to(broker) as link:
        await link.apply(admitted)
        await broker.kill()
        await link.apply(admitted)  # mosquitto is down: logged and retried
        await broker.start()
        assert set(await known(broker)) == {FIRST.gateway_id}
        await link.apply(admitted)
        assert set(await known(broker)) == {FIRST.gateway_id, SECOND.gateway_id}


async def test_mosquitto_accepts_messages_of_its_clients_after_many_changes_of_rights(broker: FleetBroker) -> None:
    """Each change lowers mosquitto's memory count by the file's size, so its own limit would refuse every client."""
    async with broker_rights(broker.cloud_address) as rights:
        for _ in range(CHANGES_MAX):
            for admitted in ([SECOND], [FIRST, SECOND]):
                await rights.converge(admitted)
    assert await may_send(broker, FIRST)


async def test_responses_of_mosquitto_to_another_process_are_ignored(broker: FleetBroker) -> None:
    async with broker_rights(broker.cloud_address) as one, broker_rights(broker.cloud_address) as other:
        for _ in range(20):
            assert await one.clients() == await other.clients()


@pytest.mark.finding("security-3")
async def test_doctor_command_reports_a_mosquitto_without_the_dynamic_security_plugin(
    broker: FleetBroker, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(CLOUD_PASSWORD)
    mqtt = f'[mqtt]\nurl = "{broker.cloud_address.url}"\npassword_file = "{password}"\nca_file = "{broker.ca_file}"\n'
    settings = read_settings(settings_file(tmp_path, more=f'{mqtt}[broker]\ndirectory = "{broker.layout.live}"\n'))
    (finding,) = await _broker_rights(settings)
    assert (finding.level, "1 gateways have rights" in finding.sentence) == (Level.OK, True)
    await run_without_plugin(broker)
    (finding,) = await _broker_rights(settings)
    assert (finding.level, "broker config" in finding.sentence) == (Level.FAULT, True)


async def run_without_plugin(broker: FleetBroker) -> None:
    """Restart mosquitto without its access rights plugin, so that every client may publish and subscribe."""
    await broker.kill()
    acl, settings = broker.folder / "acl", broker.folder / "mosquitto.conf"
    acl.write_text("topic readwrite #\n")
    lines = [line for line in settings.read_text().splitlines() if not line.startswith(("plugin", "allow_anonymous"))]
    settings.write_text("\n".join((f"acl_file {acl}", "allow_anonymous true", *lines)) + "\n")
    await broker.start()


async def test_mosquitto_does_not_overwrite_the_rights_file_that_the_cloud_wrote(broker: FleetBroker) -> None:
    """Mosquitto may have write access to the folder, but a copy that it wrote would lag behind the cloud's."""
    before = (broker.layout.live / RIGHTS_FILE).read_bytes()
    async with link_to(broker) as link:
        await link.apply([SECOND])
    assert (broker.layout.live / RIGHTS_FILE).read_bytes() == before


def test_rights_file_does_not_depend_on_the_order_of_gateways_and_contains_no_password() -> None:
    login = CloudLogin(cloud_username("a secret word"), "a secret word")
    first = rights_file(login, [SECOND, FIRST])
    assert first == rights_file(login, [FIRST, SECOND])
    assert b"secret" not in first
    document = orjson.loads(first)
    assert document["defaultACLAccess"] == {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
    assert [one["username"] for one in document["clients"]] == [login.username, "gw_1", "gw_2"]


def test_broker_user_name_of_the_cloud_is_derived_from_its_password() -> None:
    assert cloud_username("one") != cloud_username("another")
    assert len(cloud_username("one")) == len("argus-cloud-") + 32


def test_broker_role_of_a_gateway_has_a_different_name_in_each_tenant() -> None:
    """A role that remains in a running mosquitto is never mistaken for another one."""
    names = {gateway_role(AdmittedGateway("gw_1", tenant))["rolename"] for tenant in ("tnt_a", "tnt_b")}
    assert len(names) == 2
