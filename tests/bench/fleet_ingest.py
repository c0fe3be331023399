"""One of several ingest processes of `ingest.fleet`: `python -m tests.bench.fleet_ingest DATABASE BROKER GROUP`.

It prints a line when it is connected, and runs until it is killed.
"""

import asyncio
import sys

import structlog

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.foundation.ids import UlidIds
from cloud.vehicles.ingest import BrokerAddress, make_ingest
from tests.harness.broker import CLOUD_USER, password_of
from tests.harness.eventually import eventually


async def main(database_url: str, broker_url: str, group: str) -> None:
    """Ingest from the broker at `broker_url`, together with the other processes of `group`."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    clock = SystemClock()
    address = BrokerAddress(url=broker_url, username=CLOUD_USER, password=password_of(CLOUD_USER), group=group)
    running = make_ingest(await open_database(database_url), address, clock, UlidIds(clock))
    ingesting = asyncio.ensure_future(running.run_until(asyncio.Event()))
    await eventually(lambda: running.unready() is None, what="ingest is connected")
    print("connected", flush=True)
    await ingesting


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
