"""The services (`Parts`) that routes are made from, for servers and routes in tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from cloud.app import jobs_of
from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.db import Database
from cloud.foundation.housekeeping import Chore
from cloud.foundation.http import Bases, Cursors, Host, Parts
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import MasterKey
from cloud.settings import MODEL
from cloud.supplies import make_process, make_supplies

SETTINGS = {"database_url": "sqlite:///synthetic.db"}
BASES = {host: f"https://{host.value}.example.org" for host in Host}


def chores(database: Database, clock: Clock) -> list[Chore]:
    """Return the periodic clean-up chores of all the worker's jobs."""
    process = make_process(MODEL.model_validate(SETTINGS), database, clock, UlidIds(clock), roles=())
    return [chore for one in jobs_of(process) for chore in one.chores]


async def sweep_once(database: Database, clock: Clock, kind: str) -> int:
    """Delete one chunk of the expired data of a kind, as the worker does; return the number of examined rows."""
    (chore,) = [one for one in chores(database, clock) if one.name == kind]
    async with database.transaction() as tx:
        return await chore.work(tx, clock.now_us())


def make_parts(
    database: Database | None = None,
    clock: Clock | None = None,
    *,
    bases: Bases = BASES,
    master: MasterKey | None = None,
    made: dict[Any, Any] | None = None,
    sections: Mapping[str, Mapping[str, Any]] | None = None,
    objects: Path | None = None,
) -> Parts:
    """Return the services. The database may be None for tests that only declare routes, which needs no database.

    `sections` are sections of the settings, and `objects` is the folder of the object store.

    `made` replaces shared services: it maps a function that makes a service to the service to use.
    """
    clock = clock or SystemClock()
    key = master or MasterKey(bytes(range(32)))
    return Parts(
        settings=MODEL.model_validate({**SETTINGS, "objects_dir": objects, **(sections or {})}),
        database=cast(Database, database),
        clock=clock,
        ids=UlidIds(clock),
        cursors=Cursors(b"synthetic secret of the tests, 32"),
        bases=bases,
        master=lambda: key,
        supplies=make_supplies(),
        made=made or {},
    )
