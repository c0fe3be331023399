"""`argus-cloud serve` processes that are killed, share one database, or lose database and broker while batches arrive.

Every acknowledged batch is stored, and stored once.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.command import Workplace
from cloud.foundation.db import open_database
from cloud.foundation.ids import UlidIds
from cloud.foundation.objects import object_store_of
from cloud.foundation.supplies import Supplies
from cloud.settings import read_settings
from cloud.vehicles.ingest import staged_elsewhere
from cloud.vehicles.ingest.running import settle_of
from cloud.vehicles.verification.check import CustodyCheck
from tests.builders.cloud_serving import ingesting_settings
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.broker import CLOUD_USER, GATEWAY, Broker, broker_running, password_of
from tests.harness.cloud_process import get, serving
from tests.harness.databases import database_url, migrated_sqlite, postgresql
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.postgresql import postgresql_running
from tests.harness.vehicle import vehicle_at

__all__ = ["database_url", "migrated_sqlite", "postgresql"]

pytestmark = pytest.mark.broker

BATCHES = 300
READINGS = (97.0625, 96.0625, 95.0625)
"""Values that appear in a log for no other reason."""
ROLES = ("api", "worker", "ingest", "ingest")
STOP_S = 4.5
"""Below every time limit of ingest: an end that comes from one of those is too late."""
STOPS_MAX = 3
KILLS = 5 if os.environ.get("ARGUS_SOAK") == "1" else 1


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with broker_running(tmp_path / "broker") as running:
        yield running


@pytest.fixture
async def gateway(database_url: str) -> GatewayInVehicle:
    """Register a gateway with the cloud, and return it."""
    gateway = GatewayInVehicle(gateway=GATEWAY)
    database = await open_database(database_url)
    await CloudUnderTest(database).register(gateway)
    await database.close()
    return gateway


async def assert_held_once(config: Path, through: int, *, nothing_else: bool = False) -> None:
    """Check that the batches up to `through` are stored once, with all their rows and in a valid chain.

    With `nothing_else`, no other batch may be stored. No ingest process may be running.
    """
    settings = read_settings(config)
    database = await open_database(settings.database_url)
    clock = SystemClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staged_elsewhere, "ANSWER_S", 0.0)
        await settle_of(Workplace(settings, database, clock, UlidIds(clock), Supplies))()
    objects = object_store_of(settings)
    check = CustodyCheck(database, clock, OPERATOR, objects=objects, with_rows=True)
    (report,) = [report async for report in check.reports()]
    assert report.findings == []
    assert report.through >= through
    assert report.observations == len(READINGS) * report.batches
    assert not nothing_else or (report.batches == through and not report.awaited)
    await database.close()


async def test_acknowledged_batches_are_stored_exactly_once_when_ingest_processes_are_killed(
    tmp_path: Path, database_url: str, broker: Broker, gateway: GatewayInVehicle
):
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    config = ingesting_settings(tmp_path, database_url, broker)
    sent = [gateway.send(*READINGS) for _ in range(BATCHES)]
    async with vehicle_at(broker) as vehicle:
        delivering = asyncio.ensure_future(vehicle.deliver(sent))
        for moment in sorted(chance.sample(range(1, BATCHES - 1), KILLS)):
            async with serving(config, "--only", "ingest") as served:
                await eventually(lambda moment=moment: vehicle.through() >= moment)
                served.process.kill()
                await served.process.wait()
                acknowledged = vehicle.through()
            await assert_held_once(config, acknowledged)
        async with serving(config, "--only", "ingest"):
            async with asyncio.timeout(WITHIN_S):
                await delivering
    await assert_held_once(config, BATCHES, nothing_else=True)


async def test_cloud_roles_in_separate_processes_share_one_database_and_stop_on_sigterm(
    tmp_path: Path, database_url: str, broker: Broker, gateway: GatewayInVehicle
):
    config = ingesting_settings(tmp_path, database_url, broker)
    sent = [gateway.send(*READINGS) for _ in range(BATCHES)]
    async with AsyncExitStack() as running, vehicle_at(broker) as vehicle:
        api, worker, first, second = await asyncio.gather(
            *(running.enter_async_context(serving(config, "--only", role)) for role in ROLES)
        )
        assert (await get(f"http://{api.address('api')}/health/ready"))[0] == 200
        await vehicle.publish_status()  # as a gateway does before it sends batches
        delivering = asyncio.ensure_future(vehicle.deliver(sent))
        await eventually(lambda: vehicle.through() >= BATCHES // 3)
        second.process.kill()  # the other receives the batches from now on
        async with asyncio.timeout(WITHIN_S):
            await delivering
        assert (await get(f"http://{api.address('api')}/health/ready"))[0] == 200
        for served in (first, worker, api):
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                assert await served.process.wait() == 0
            assert served.events()[-1] == "cloud.stopped"
    await assert_held_once(config, BATCHES, nothing_else=True)


async def test_ingest_stops_without_waiting_for_a_frozen_broker(tmp_path: Path, migrated_sqlite: Path, broker: Broker):
    config = ingesting_settings(tmp_path, f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'cloud.db')}", broker)

    async def stop_s(*, is_connected: bool) -> float:
        """Return the time from SIGTERM to the end of an ingest process that is connected to the frozen broker, or that
        waits for the frozen broker's first response."""
        if not is_connected:
            broker.freeze()
        async with serving(config, "--only", "ingest") as served:
            if is_connected:
                await eventually(lambda: "ingest.broker_connected" in served.events())
                broker.freeze()
            began_s = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(WITHIN_S):
                assert await served.process.wait() == 0
            took_s = time.monotonic() - began_s
        broker.thaw()
        assert ("ingest.broker_connected" in served.events()) is is_connected
        return took_s

    for is_connected in (True, False):
        # A time limit of ingest delays each stop, and a busy machine only some.
        for _ in range(STOPS_MAX):
            if (took_s := await stop_s(is_connected=is_connected)) < STOP_S:
                break
        assert took_s < STOP_S


@pytest.mark.pg
async def test_log_lines_contain_no_value_and_no_password_while_database_and_broker_fail(
    tmp_path: Path, broker: Broker
):
    with postgresql_running() as server, server.database() as url:
        gateway = GatewayInVehicle(gateway=GATEWAY)
        database = await open_database(url)
        await CloudUnderTest(database).register(gateway)
        await database.close()
        url = url.replace("postgres@", "postgres:synthetic-secret@")
        config = ingesting_settings(tmp_path, url, broker, log_level="debug")
        async with serving(config) as served:
            async with vehicle_at(broker) as vehicle:
                await vehicle.deliver([gateway.send(*READINGS) for _ in range(3)])
                await vehicle.publish(GatewayInVehicle(gateway=GATEWAY, key_seed=2).send(*READINGS))
                await vehicle.publish_bytes(repr(READINGS).encode())
                await eventually(lambda: "ingest.batches_refused" in served.events())
                await asyncio.to_thread(server.stop)
                await vehicle.publish(gateway.send(*READINGS))
                await eventually(lambda: "ingest.database_unavailable" in served.events())
            await broker.kill()
            await eventually(lambda: "ingest.broker_lost" in served.events())
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                assert await served.process.wait() == 0
        await asyncio.to_thread(server.start)
    told = json.dumps(served.lines)
    values = (*(str(reading) for reading in READINGS), "Synthetic Oximeter", "MDC_")
    for secret in ("synthetic-secret", password_of(CLOUD_USER), gateway.public_key.hex(), *values):
        assert secret not in told
