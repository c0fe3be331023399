"""Import data over HTTP with the worker of the product, and rows with invented content."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Table, func, select

from cloud.clinical.devices import devices
from cloud.foundation.db import Database
from cloud.work.jobs.running import worker_of
from tests.builders.job_desk import JobDesk


def device(number: int, **fields: Any) -> dict[str, Any]:
    """Return a row of a device."""
    return {"serial_number": f"SN-{number:05}", "device_class": "defib", "manufacturer": "ACME", **fields}


def encounter(number: int, **fields: Any) -> dict[str, Any]:
    return {"care_model": "prehospital_emergency", "cad_incident_id": f"cad_{number}", **fields}


def profile(number: int, **fields: Any) -> dict[str, Any]:
    return {"reference": f"CRM-{number}", "kind": "person", "names": [f"Examplo {number}"], **fields}


def ndjson(*rows: Mapping[str, Any]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


async def start_import(desk: JobDesk, who: str = "importer", **payload: Any) -> str:
    return await desk.start(who, kind="import.bulk", payload=payload)


async def import_now(desk: JobDesk, who: str = "importer", **payload: Any) -> dict[str, Any]:
    """Run an import to its end; return the document of its result."""
    job_id = await start_import(desk, who, **payload)
    await desk.parts.shared(worker_of).step()
    job = (await desk.get(f"/v1/jobs/{job_id}", who)).json()
    assert job["status"] == "succeeded", job
    found: dict[str, Any] = await desk.result(job_id, who)
    return found


async def count(database: Database, table: Table = devices) -> int:
    async with database.read() as tx:
        return int((await tx.execute(select(func.count()).select_from(table))).scalar())


async def pieces(desk: JobDesk) -> list[str]:
    """Return the names of the stored uploads."""
    return [one.name async for page in desk.objects.pages("received") for one in page]
