"""A batch that is staged is decoded when its rows are written; only its head is read before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.ingest import opening
from protocols.uplink.envelope import BatchKind
from protocols.uplink.observations import encode_block
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.staging import BreakableObjects, numerics, staged_names, staging_cloud
from tests.builders.uplink_bombs import body_of, sealed
from tests.builders.waveforms import waves


@pytest.fixture
def store(tmp_path: Path) -> BreakableObjects:
    return BreakableObjects(tmp_path / "objects")


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle, store: BreakableObjects) -> CloudUnderTest:
    return await staging_cloud(database, gateway, store)


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Count the calls of a function of `opening`."""
    calls: list[str] = []
    called: Callable[..., object] = getattr(opening, name)

    def count(*arguments: object, **named: object) -> object:
        calls.append(name)
        return called(*arguments, **named)

    monkeypatch.setattr(opening, name, count)
    return calls


async def test_staged_batches_are_verified_once_and_decoded_when_their_rows_are_written(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, verified = counted(monkeypatch, "decode_columns"), counted(monkeypatch, "is_signed")
    await cloud.arrive(gateway.send(98.0), waves(gateway))
    assert len(decoded) == 0
    await cloud.ingest.settle()
    assert len(decoded) == len(verified) == 2
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]


async def test_batch_that_is_not_staged_is_decoded_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.send(98.0)
    decoded = counted(monkeypatch, "decode_columns")
    await cloud.arrive(gateway.send(99.0))
    assert len(decoded) == 1
    assert await numerics(cloud) == [(1, 97.0), (3, 99.0)]


async def test_staged_batch_that_is_unreadable_behind_its_head_is_stored_without_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
) -> None:
    payload = sealed(body_of(encode_block([section(readings(98.0))])) + b"\0")
    acks = await cloud.arrive(gateway.send_raw(BatchKind.OBSERVATIONS, payload), gateway.send(99.0))
    assert [ack.through_sequence for ack in acks] == [3]
    await cloud.ingest.settle()
    assert [(row.sequence, row.content) for row in await cloud.rows(batches)] == [
        (1, "rows"),
        (2, "unreadable"),
        (3, "rows"),
    ]
    assert [row.sequence for row in await cloud.rows(quarantined_batches)] == [2]
    assert await numerics(cloud) == [(1, 97.0), (3, 99.0)]


async def test_batch_with_an_unreadable_head_is_written_at_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send_raw(BatchKind.OBSERVATIONS, b"nonsense"))
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "unreadable"]
    assert await staged_names(store) == []


async def test_batch_from_the_memory_of_a_device_is_written_at_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, store: BreakableObjects
) -> None:
    await cloud.arrive(gateway.send_sections([section(readings(98.0), stored=True)]))
    assert await numerics(cloud) == [(1, 97.0), (2, 98.0)]
    assert await staged_names(store) == []
