"""Jobs in the table, without a worker: enqueue, claim and settle them with the statements of the product."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from cloud.foundation.db import Database
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.work.jobs import Job, JobStatus, JobStore, NewJob
from cloud.work.jobs.lease_store import LeaseStore, Settlement
from cloud.work.jobs.model import LeasedJob
from cloud.work.jobs.tables import jobs
from tests.builders.cloud_people import HandClock

LEASE_US = 30_000_000
_NEW = NewJob(
    id="",
    tenant_id="tnt_a",
    organization_id=None,
    client_id="app_a",
    subject="app_a",
    kind="test.count",
    payload="{}",
    secrecy_level=SecrecyLevel.STANDARD,
    callback_url=None,
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)


def new_job(job_id: str, **values: Any) -> NewJob:
    """Return a job of the tenant `tnt_a` to enqueue; `values` replace the default ones."""
    return replace(_NEW, id=job_id, **values)


class JobRows:
    """Jobs on one database, each call in a transaction of its own and at the time of `clock`."""

    def __init__(self, database: Database, clock: HandClock | None = None) -> None:
        self.database = database
        self.clock = clock or HandClock()
        self.store = JobStore()
        self.leases = LeaseStore()
        self._numbers = itertools.count(1)

    async def enqueue(self, count: int = 1, **values: Any) -> list[str]:
        """Enqueue jobs with increasing ids, and return these."""
        ids = [f"job_{next(self._numbers):06d}" for _ in range(count)]
        async with self.database.transaction() as tx:
            await self.store.enqueue(tx, [new_job(job_id, **values) for job_id in ids], self.clock.now_us())
        return ids

    async def claim(self, count: int = 1, tenant_id: str = "tnt_a") -> Sequence[LeasedJob]:
        async with self.database.transaction() as tx:
            now_us = self.clock.now_us()
            claimed = list[LeasedJob]()
            await self.leases.claim(tx, {tenant_id: count}, claimed.append, now_us=now_us, lease_us=LEASE_US)
        return claimed

    async def claim_one(self, tenant_id: str = "tnt_a") -> LeasedJob:
        (leased,) = await self.claim(1, tenant_id)
        return leased

    async def save(self, leased: LeasedJob, state: str = "{}", progress_pct: int = 0) -> None:
        async with self.database.transaction() as tx:
            await self.leases.save(tx, leased, state, progress_pct, now_us=self.clock.now_us(), lease_us=LEASE_US)

    async def settle(self, leased: LeasedJob, status: JobStatus = JobStatus.SUCCEEDED, **values: Any) -> bool:
        """Settle one job; return whether the job was changed."""
        async with self.database.transaction() as tx:
            changed = await self.leases.settle_some(tx, [Settlement(leased, status, **values)], self.clock.now_us())
        return (leased.id, leased.lease_token) in changed

    async def state_of(self, job_id: str) -> str | None:
        """Return the stored state of a job."""
        async with self.database.read() as tx:
            text: str | None = (await tx.execute(select(jobs.c.state).where(jobs.c.id == job_id))).scalar()
        return text

    async def payload_of(self, job_id: str) -> str | None:
        """Return the stored payload of a job."""
        async with self.database.read() as tx:
            text: str | None = (await tx.execute(select(jobs.c.payload).where(jobs.c.id == job_id))).scalar()
        return text

    async def sweep(self) -> int:
        async with self.database.transaction() as tx:
            return await self.leases.sweep(tx, self.clock.now_us())

    async def cancel(self, job_id: str, tenant_id: str = "tnt_a") -> Job | None:
        async with self.database.transaction() as tx:
            return await self.store.cancel(tx, Viewer(tenant_id, None), job_id, self.clock.now_us())

    async def find(self, job_id: str, tenant_id: str = "tnt_a") -> Job:
        async with self.database.read() as tx:
            found = await self.store.find(tx, Viewer(tenant_id, None, SecrecyLevel.TOP_SECRET), job_id)
        assert found is not None
        return found
