"""A confirmed report whose acknowledgement is lost, or whose commit fails on a full disk, is in the cloud exactly once.

The device resends the report. The gateway is the real process, the broker a real one, and the cloud's ingest runs in
the test's process on a real database.
"""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.vehicles.ingest import BrokerAddress, make_ingest
from tests.builders.gateway_device import device
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.received_batches import RECEIVED
from tests.harness.broker import CLOUD_USER, GATEWAY, broker_running, password_of
from tests.harness.buffer_small_disk import ballast, small_disk
from tests.harness.databases import migrated_sqlite
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle, vehicle

__all__ = ["migrated_sqlite"]

pytestmark = pytest.mark.broker


@dataclass(frozen=True, slots=True)
class Journey:
    """A vehicle, and the cloud that receives its batches."""

    gateway: Vehicle
    cloud: CloudUnderTest

    async def in_the_cloud(self) -> list[tuple[float, str]]:
        """Wait until all batches are acknowledged; return value and device time of every observation in the cloud."""
        await eventually(self._acknowledged)
        found = export_observations(self.cloud.database, OPERATOR, Devices(self.cloud.ids), RECEIVED, hidden=True)
        return [(row["value"], row["device_time"]) async for row in found]

    async def _acknowledged(self) -> bool:
        lanes: dict[str, Any] = (await self.gateway.status())["lanes"]
        return all(not (lane["backlog_batches"] or lane["backlog_observations"]) for lane in lanes.values())

    def commits(self) -> int:
        """Return the number of numeric batches that the gateway has committed, from the file in which it records each
        commit."""
        return sum(" numeric " in line for line in self.gateway.witness.read_text().splitlines())


@asynccontextmanager
async def journey(folder: Path, template: Path) -> AsyncIterator[Journey]:
    database = await open_database(f"sqlite:///{shutil.copy(template, folder / 'cloud.db')}")
    try:
        async with (
            broker_running(folder / "broker") as broker,
            vehicle(folder, broker, started=False) as gateway,
        ):
            cloud = await CloudUnderTest(database).register()
            await cloud.register_key(GATEWAY, base64.b64decode((await gateway.provision())["public_key"]))
            address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
            ingest = asyncio.create_task(make_ingest(database, address, SystemClock(), cloud.ids).run())
            try:
                await gateway.start()
                yield Journey(gateway, cloud)
            finally:
                ingest.cancel()
                await asyncio.wait([ingest])
    finally:
        await database.close()


async def test_report_with_a_lost_acknowledgement_is_in_the_cloud_once_after_the_device_resends_it(
    tmp_path: Path, migrated_sqlite: Path
):
    async with journey(tmp_path, migrated_sqlite) as under_way:
        gateway = under_way.gateway
        async with device(gateway.address) as thermometer:
            assert await thermometer.measure(36.6, second=1) == "answered"
            # Its batch is complete, so that the next report begins another one, which the witness names.
            await under_way.in_the_cloud()
            before = under_way.commits()
            await thermometer.report_unheard(38.7, second=2)
            await eventually(lambda: under_way.commits() > before, what="the witness names the commit")
            await gateway.kill()
        await gateway.start()
        async with device(gateway.address) as again:
            assert await again.measure(38.7, second=2) == "answered"
            assert await again.measure(36.8, second=3) == "answered"
        # A process of its own: the ingest in this process writes its logs to the standard output.
        kept = (await gateway.command("observations", "--json")).json_lines()
        assert [row["value"] for row in kept] == [36.6, 38.7, 38.7, 36.8]
        assert sorted(await under_way.in_the_cloud()) == [
            (36.6, "2026-05-06T12:00:01.000"),
            (36.8, "2026-05-06T12:00:03.000"),
            (38.7, "2026-05-06T12:00:02.000"),
        ]


async def test_report_refused_because_of_a_full_disk_is_in_the_cloud_once_after_the_device_resends_it(
    tmp_path: Path, migrated_sqlite: Path
):
    with small_disk(tmp_path / "state", megabytes=24):
        async with journey(tmp_path, migrated_sqlite) as under_way:
            gateway = under_way.gateway
            async with device(gateway.address) as thermometer:
                assert await thermometer.measure(36.6, second=1) == "answered"
                filling = ballast(gateway.state_dir)

                async def refused() -> bool:
                    # The space left in the pages of the file takes some more readings.
                    return await thermometer.measure(36.6) == "refused"

                await eventually(refused)
                assert (await gateway.status())["store"]["state"] == "reserve"
                assert await thermometer.measure(38.7, second=3600) == "refused"
                assert thermometer.operating
                filling.unlink()

                async def answered() -> bool:
                    return await thermometer.measure(38.7, second=3600) == "answered"

                await eventually(answered)
            arrived = await under_way.in_the_cloud()
            assert arrived.count((38.7, "2026-05-06T13:00:00.000")) == 1
            assert len(arrived) == len(set(arrived))
