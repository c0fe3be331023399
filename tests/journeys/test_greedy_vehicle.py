"""A vehicle that subscribes as a member of the cloud's shared subscription gets no batch, and the cloud loses none."""

from contextlib import suppress
from pathlib import Path

import pytest

from cloud.foundation.db import open_database
from gateway.sync.mqtt import BrokerAddress, MqttSession
from gateway.sync.mqtt_errors import MqttRefused
from tests.builders.cloud_serving import ingesting_settings
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.broker import GATEWAY, broker_running, password_of
from tests.harness.cloud_process import serving
from tests.harness.databases import database_url, migrated_sqlite, postgresql
from tests.harness.eventually import eventually
from tests.harness.vehicle import vehicle_at

__all__ = ["database_url", "migrated_sqlite", "postgresql"]

pytestmark = pytest.mark.broker

GREEDY = "gw_greedy"
SESSIONS, BATCHES = 9, 40


@pytest.mark.finding("security-3")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_gateway_that_guesses_shared_subscription_groups_receives_no_batch_of_another_vehicle(
    tmp_path: Path, database_url: str
) -> None:
    gateway = GatewayInVehicle(gateway=GATEWAY)
    database = await open_database(database_url)
    await CloudUnderTest(database).register(gateway)
    await database.close()
    async with broker_running(tmp_path / "broker", gateways=(GATEWAY, GREEDY)) as broker:
        login = BrokerAddress(
            host="127.0.0.1", port=broker.port, username=GREEDY, password=password_of(GREEDY), tls=None
        )
        for number in range(SESSIONS):
            session = await MqttSession.open(login, client_id=f"greedy-{number}")
            for group in ("ingest", "argus", "argus-cloud"):
                with suppress(MqttRefused):
                    await session.subscribe(f"$share/{group}/argus/v1/+/+/up/+")
        config = ingesting_settings(tmp_path, database_url, broker)
        async with serving(config, "--only", "ingest") as served, vehicle_at(broker) as vehicle:
            await eventually(lambda: "ingest.broker_connected" in served.events())
            await vehicle.publish(*gateway.many(BATCHES))  # each once, and never again
            await eventually(lambda: vehicle.through() == BATCHES)
