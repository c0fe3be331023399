"""A cloud whose data are exported."""

from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.work.exports import formats, parquet, sources
from tests.builders.exports import ExportDesk
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle


@pytest.fixture
async def desk(database: Database, gateway: GatewayInVehicle, tmp_path: Path) -> ExportDesk:
    cloud = CloudUnderTest(database)
    desk = ExportDesk(cloud, tmp_path / "objects")
    desk.cloud = CloudUnderTest(database, clock=cloud.clock, objects=desk.objects)
    await desk.cloud.register(gateway)
    return desk


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts so small that an export has many."""
    monkeypatch.setattr(formats, "PART_BYTES", 20_000)
    monkeypatch.setattr(parquet, "ROWS_MAX", 60)
    monkeypatch.setattr(sources, "PAGE_ROWS", 50)
    monkeypatch.setattr(sources, "PAGE_SAMPLES", 50)
