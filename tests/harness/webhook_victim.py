"""A process with the cloud's event relay and webhook delivery worker, which a test kills at any moment.

    python -m tests.harness.webhook_victim DATABASE_URL PORT AHEAD_US

Only requests to 127.0.0.1:PORT are allowed. Its clock is AHEAD_US ahead of the machine's clock, so that each run can
begin after the leases and retry times of the previous run.
"""

import asyncio
import random
import sys

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.access.audit import Audit
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import open_database
from cloud.foundation.egress import AllowList, Egress
from cloud.foundation.events import Outbox, Relay
from cloud.foundation.ids import UlidIds
from cloud.partners.webhooks import DeliveryWorker, FanOut, Settling
from tests.builders.auth_world import MASTER


class LaterClock(SystemClock):
    """The machine's clock, set forward by `ahead_us`."""

    def __init__(self, ahead_us: int) -> None:
        self._ahead_us = ahead_us

    def now_us(self) -> int:
        return super().now_us() + self._ahead_us


async def live(url: str, port: int, ahead_us: int) -> None:
    """Relay events and deliver webhooks until the process is killed."""
    clock = LaterClock(ahead_us)
    ids = UlidIds(clock)
    outbox = Outbox(ids)
    database = await open_database(url)
    egress = Egress(AllowList([("127.0.0.1", port)]))
    settling = Settling(clock, outbox, Audit(clock), random.Random(port).random)
    worker = DeliveryWorker(database, clock, egress, lambda: MASTER, settling)
    relay = Relay(database, outbox, [FanOut(clock, ids)], clock, worker.wake)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(relay.run(stopping))
        tasks.create_task(worker.run(stopping))


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
