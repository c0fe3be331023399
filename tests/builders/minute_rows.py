"""Numerics of some minutes in the cloud, and the job that moves them to minute rows."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from cloud.clinical.devices import Devices
from cloud.clinical.observations.export import export_observations
from cloud.clinical.observations.minutes.compaction import Compaction
from cloud.clinical.observations.minutes.merging import MinuteMerging
from cloud.clinical.observations.tables import minute_rows_since
from cloud.foundation.db import Database
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation
from protocols.uplink.envelope import Envelope
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.builders.received_batches import RECEIVED

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
AFTER_DAYS = 7
"""Days after which the tests move numerics, as by default."""
CHANNELS = [Channel(handle=handle, type=Code(2, 19_380 + handle), unit=Code(4, 544)) for handle in range(1, 5)]


def second(number: int, channels: Sequence[Channel] = CHANNELS) -> list[Observation]:
    """Return one reading of each channel, received in this second of the gateway's boot."""
    return [
        Observation(
            channel=channel,
            value=90.0 + (number * 7 + place) % 10 / 10,
            samples=None,
            status=place % 2,
            device_time=None,
            received_s=number + place / 1000,
        )
        for place, channel in enumerate(channels)
    ]


def seconds(gateway: GatewayInVehicle, count: int, *, first: int = 0) -> list[Envelope]:
    """Return a batch for each second."""
    return [gateway.send_sections([section(second(number))]) for number in range(first, first + count)]


def compaction() -> Compaction:
    return Compaction(RECEIVED, AFTER_DAYS)


def merging() -> MinuteMerging:
    return MinuteMerging(RECEIVED, AFTER_DAYS)


async def merge(
    cloud: CloudUnderTest, job: MinuteMerging | None = None, *, now_us: int = NOW_US + (AFTER_DAYS + 1) * DAY_US
) -> list[int]:
    """Run the steps of the job until nothing is due at the time `now_us`; return the number of rows of each step."""
    job = job or merging()
    handled: list[int] = []
    while True:
        async with cloud.database.transaction() as tx:
            rows = await job.step(tx, now_us)
        if not rows:
            return handled
        handled.append(rows)


async def come_from_release_before(database: Database) -> None:
    """Make the database one that the release before has used, and in which nothing is moved for some days."""
    async with database.transaction() as tx:
        await tx.execute(minute_rows_since.delete())


async def upgrade(cloud: CloudUnderTest, on_day: int = 0) -> None:
    """Run the job on this day, if it has not run before. Nothing is due then."""
    async with cloud.database.transaction() as tx:
        assert await compaction().step(tx, on_day * DAY_US) == 0


async def compact(
    cloud: CloudUnderTest, job: Compaction | None = None, *, now_us: int = NOW_US + (AFTER_DAYS + 1) * DAY_US
) -> list[int]:
    """Run the steps of the job until nothing is due at the time `now_us`; return the number of rows of each step."""
    job = job or compaction()
    await upgrade(cloud)
    moved: list[int] = []
    while True:
        async with cloud.database.transaction() as tx:
            rows = await job.step(tx, now_us)
        if not rows:
            return moved
        moved.append(rows)


def export(cloud: CloudUnderTest, **options: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield the export of the cloud's observations, with the time at which the cloud stored each."""
    devices = Devices(cloud.ids)
    return export_observations(cloud.database, OPERATOR, devices, RECEIVED, hidden=True, commit_time=True, **options)


async def exported(cloud: CloudUnderTest, **options: Any) -> list[dict[str, Any]]:
    return [document async for document in export(cloud, **options)]
