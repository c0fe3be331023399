"""No byte of an erased encounter is left in the files of the cloud, and every table is considered."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cloud.clinical.acqi.tables import acqi_days
from cloud.foundation.db import metadata, migrate, open_database
from cloud.foundation.objects import LocalObjects
from cloud.slices import load_tables
from protocols.observation import Observation
from protocols.uplink.lanes import Lane
from tests.builders.acqi_world import ARREST, score_all
from tests.builders.care_changes import change
from tests.builders.erasure_world import SECOND_US, ErasureWorld
from tests.builders.ingest_gateway import NOW_US, PLETH, SPO2, GatewayInVehicle, readings, section

NUMBER = 97.1234567891
TEXT = "Synthetic Canary 4711"
SAMPLES = b"\x12\x34\x43\x21"
CANARIES = (struct.pack(">d", NUMBER), struct.pack("<d", NUMBER), TEXT.encode(), SAMPLES * 4)


def found_in(folder: Path) -> Iterator[str]:
    """Yield the names of the files below a folder that have one of the canaries."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and any(canary in path.read_bytes() for canary in CANARIES):
            yield path.name


@pytest.fixture
async def files(tmp_path: Path) -> Path:
    await migrate(f"sqlite:///{tmp_path / 'cloud.db'}", create=True)
    return tmp_path


async def test_no_byte_of_an_erased_encounter_is_left_in_database_and_objects(files: Path) -> None:
    database = await open_database(f"sqlite:///{files / 'cloud.db'}")
    gateway = GatewayInVehicle()
    world = await ErasureWorld(database, gateway, objects=LocalObjects(files / "objects")).begin()
    block = Observation(channel=PLETH, value=None, samples=SAMPLES * 100, status=0, device_time=None, received_s=1.0)
    canary = section(readings(NUMBER, TEXT, channel=SPO2), wall_offset_us=NOW_US)
    await world.cloud.take(
        gateway.send_sections([section([block])], lane=Lane.WAVEFORM),
        gateway.send_sections([section([replace(block, samples=bytes(4), received_s=200.0)])], lane=Lane.WAVEFORM),
        gateway.send_sections([canary]),
        gateway.send_sections([canary], lane=Lane.EVENT),
        gateway.send_changes(change("patient.last_name", TEXT), change("medications.drug", TEXT, entry="m1")),
        *gateway.many(40),
        replace(gateway.send(NUMBER, TEXT), signature=bytes(64)),
    )
    assert await database.empty_log()
    assert {name.rpartition(".")[2] for name in found_in(files)} >= {"db"}
    await world.assign(NOW_US, NOW_US + 60 * SECOND_US)
    await world.erase()
    assert await world.values() == [0]
    assert list(found_in(files)) == []
    await database.close()
    assert list(found_in(files)) == []


async def test_erased_encounter_counts_for_no_indicator(files: Path) -> None:
    database = await open_database(f"sqlite:///{files / 'cloud.db'}")
    gateway = GatewayInVehicle()
    world = await ErasureWorld(database, gateway, objects=LocalObjects(files / "objects")).begin()
    record = (change(key, value) for key, value in ARREST.items())
    await world.cloud.take(gateway.send_changes(*record))
    await score_all(database)

    async def denominators() -> int:
        async with database.read() as tx:
            return int((await tx.execute(select(func.sum(acqi_days.c.denominator)))).scalar())

    assert await denominators() > 0
    await world.erase()
    assert await denominators() == 0
    await score_all(database)
    assert await denominators() == 0
    await database.close()


ERASED = {
    "acqi_encounters",
    "encounters",
    "encounter_crew",
    "followed_evidence",
    "assignments",
    "care_changes",
    "observations",
    "share_links",
    "vehicle_missions",
}
KEPT = {"changed_encounters", "erased_encounters"}
"""Tables that name an encounter and have nothing about the patient."""


def test_every_table_that_names_an_encounter_is_erased_or_known_to_keep_its_id_only() -> None:
    load_tables()
    naming = {
        table.name
        for table in metadata.sorted_tables
        if "encounter_id" in table.c or any(key.column.table.name == "encounters" for key in table.foreign_keys)
    }
    assert naming | {"encounters"} == ERASED | KEPT
