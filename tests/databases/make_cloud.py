"""Write `cloud_<revision>.json` with the current code: `python -m tests.databases.make_cloud`.

It is run once for each released revision of the schema, at that revision. The file is never written again, because only
rows from the earlier release prove that later releases read them. It is JSON and not a database file, because the same
rows are inserted into SQLite and PostgreSQL. `cloud_0001.json` was written by hand, before the cloud could ingest.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import select

from cloud.foundation.db import metadata, migrate, open_database
from cloud.foundation.db.revisions import known_revisions
from cloud.slices import load_tables
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from protocols.uplink.status import Status
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.builders.ingest_kinds import BEDSIDE_TIME, CUFF, PRESSURE, every_kind, one


async def live(cloud: CloudUnderTest) -> None:
    """Ingest deliveries of every kind from one gateway.

    The deliveries are all kinds of values, a device's memory read twice, an event, a gap record and a late batch that
    fills a part of the gap, a batch that cannot be decoded, a batch with a wrong signature, a different batch with a
    used sequence number, a batch of a new store, and a status.
    """
    gateway, copy = GatewayInVehicle(), GatewayInVehicle()
    await cloud.register(gateway)
    memory = section([one(PRESSURE, (120.0, 80.0), device_time=BEDSIDE_TIME)], device=CUFF, stored=True)
    first = gateway.send_sections(every_kind())
    await cloud.take(first, *(gateway.send_sections([memory]) for _ in range(2)), gateway.send_event())
    lost = gateway.many(4)
    await cloud.take(gateway.send_raw(BatchKind.OBSERVATIONS, b"of tomorrow"), gateway.gap(lost), lost[1])
    await cloud.take(gateway.send_raw(BatchKind.EPCR, b"a draft of tomorrow", lane=Lane.EPCR))
    await cloud.take(GatewayInVehicle(key_seed=2).send(), copy.send(41.0))
    await cloud.take(GatewayInVehicle(epoch="epoch-b").send(96.0))
    status = Status(
        gateway="gw_test", epoch="epoch-b", online=True, at_us=NOW_US, boot_id="boot-1", software="0.1.0", marks={}
    )
    await cloud.take(cloud.handover.status_delivery(status))


def _plain(value: Any) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


async def dump(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Ingest the deliveries of `live` into a new database; map each table to its rows, without the columns that are
    NULL."""
    url = f"sqlite:///{folder / 'cloud.db'}"
    load_tables()
    await migrate(url, create=True)
    database = await open_database(url)
    await live(CloudUnderTest(database))
    tables = {}
    async with database.read() as tx:
        for table in metadata.sorted_tables:
            rows = await tx.execute(select(table).order_by(*table.primary_key.columns))
            tables[table.name] = [
                {name: _plain(value) for name, value in row._mapping.items() if value is not None} for row in rows
            ]
    await database.close()
    return {name: rows for name, rows in tables.items() if rows}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        found = asyncio.run(dump(Path(temporary)))
    target = Path(__file__).with_name(f"cloud_{known_revisions()[-1]}.json")
    target.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
