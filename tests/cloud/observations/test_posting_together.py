"""Concurrent posts of observations share a transaction, and each gets its own response."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from cloud.access.audit import Audit
from cloud.clinical.devices import Devices
from cloud.clinical.observations import posting_group
from cloud.clinical.observations.posted_store import PendingRow
from cloud.clinical.observations.posting_group import PostingGroup
from cloud.clinical.observations.service import ObservationService
from cloud.foundation.db import Database, Transaction, TransactionTooSlow, open_database
from cloud.foundation.ids import UlidIds
from tests.builders.api_devices import enrolled, exported
from tests.builders.api_surface import Api, api
from tests.builders.cloud_people import HandClock, Household, household
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster

SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        yield served


@pytest.mark.contract("C-124", "C-017")
async def test_concurrent_posts_are_each_stored_and_audited_with_their_own_observation_id(
    here: Api,
) -> None:
    path = f"/api/v1/devices/{(await here.enrol())['id']}/observations"
    answers = await asyncio.gather(
        *(here.post(path, {**SPO2, "value": float(number)}) for number in range(45)),
        *(here.post(path, SPO2, who="south") for _ in range(5)),
        *(here.post(path, {**SPO2, "unit_code": "kPa"}) for _ in range(5)),
        *(here.post(path, {**SPO2, "encounter_id": "enc_south"}) for _ in range(5)),
    )
    assert [one.status_code for one in answers] == [201] * 45 + [404] * 5 + [422] * 10
    stored = {one["id"]: one["value"] for one in await exported(here.database, here.clock, here.home.viewer)}
    assert stored == {one.json()["id"]: one.json()["value"] for one in answers[:45]}
    async with here.database.read() as tx:
        entries = await Audit(here.clock).list(tx, here.home.viewer, action="observation.post")
    traces = {entry.object: entry.trace_id for entry in entries}
    assert traces == {one.json()["id"]: one.headers["X-Argus-Trace-ID"] for one in answers[:45]}


class Group:
    """A posting group (posts that share a transaction), and one device that the observation service has cached."""

    def __init__(self, database: Database, clock: HandClock, home: Household, device_id: str) -> None:
        self.home, self.device_id = home, device_id
        self.service = ObservationService(database, clock, UlidIds(clock))
        self.posts = PostingGroup(database, self.service.write, Audit(clock))

    def row(self) -> PendingRow:
        row = self.service.expected_row(self.home.viewer, self.service.draft(self.device_id, **SPO2))
        assert row is not None
        return row

    async def post(self) -> bool:
        return await self.posts.post(self.row())


async def group(database: Database) -> Group:
    clock = HandClock()
    home = await household(database, clock)
    made = Group(database, clock, home, (await enrolled(database, clock, home)).id)
    await made.service.post(home.viewer, made.service.draft(made.device_id, **SPO2))
    return made


async def test_cancelled_post_does_not_cancel_other_posts_in_the_same_transaction(database: Database) -> None:
    made = await group(database)
    posts = [asyncio.ensure_future(made.post()) for _ in range(20)]
    await asyncio.sleep(0)
    posts[0].cancel()  # the post that began the transaction
    posts[7].cancel()
    answers = await asyncio.gather(*posts, return_exceptions=True)
    assert answers.count(True) == 18
    stored = len(await exported(database, HandClock(), made.home.viewer))
    assert stored - 1 in (18, 19, 20)  # cancelled posts may be stored, acknowledged ones are


async def test_failed_transaction_of_concurrent_posts_fails_every_post_and_stores_none(database: Database) -> None:
    made = await group(database)
    await rename(database, "audit_entries", "set_aside")
    answers = await asyncio.gather(*(made.post() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Exception) for answer in answers)
    await rename(database, "set_aside", "audit_entries")
    assert await made.post() is True
    assert len(await exported(database, HandClock(), made.home.viewer)) == 2  # the first of the group, and the last one


async def rename(database: Database, table: str, to: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(f"ALTER TABLE {table} RENAME TO {to}"))


async def test_post_is_refused_when_the_queue_of_concurrent_posts_is_full(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await group(database)
    monkeypatch.setattr(posting_group, "WAITING_MAX", 3)
    answers = await asyncio.gather(*(made.post() for _ in range(6)), return_exceptions=True)
    assert answers[:3] == [True, True, True]
    assert all(isinstance(answer, TransactionTooSlow) for answer in answers[3:])


WAITING_FOR_A_LOCK = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.mark.pg
@pytest.mark.finding("cloud-4")
async def test_concurrent_posts_of_two_processes_for_the_same_devices_do_not_deadlock(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as url:
        processes = [await open_database(url), await open_database(url)]
        clock = HandClock()
        home = await household(processes[0], clock)
        devices = [(await enrolled(processes[0], clock, home, serial_number=f"SN-{number}")).id for number in range(3)]
        services = [ObservationService(process, clock, UlidIds(clock)) for process in processes]
        for device_id in devices:
            draft = services[0].draft(device_id, **SPO2)
            await services[0].post(home.viewer, draft)
            await services[1].post(home.viewer, services[1].draft(device_id, **SPO2))
        clock.advance(us=3_600_000_000)  # so that each post updates the device's row
        begun: set[Transaction] = set()
        update = Devices.heard

        async def both_began_or_one_waits() -> bool:
            if len(begun) == 2:
                return True
            async with processes[0].read() as tx:
                return bool((await tx.execute(WAITING_FOR_A_LOCK)).scalar())

        async def update_then_wait(self: Devices, tx: Transaction, *args: Any, **more: int) -> None:
            await update(self, tx, *args, **more)
            if tx not in begun:
                begun.add(tx)
                await eventually(both_began_or_one_waits)

        monkeypatch.setattr(Devices, "heard", update_then_wait)

        async def write(number: int, order: list[str]) -> int:
            service = services[number]
            rows = [service.expected_row(home.viewer, service.draft(device_id, **SPO2)) for device_id in order]
            async with processes[number].transaction() as tx:
                return len(await service.write(tx, [row for row in rows if row is not None]))

        written = await asyncio.gather(write(0, devices), write(1, devices[::-1]))
        assert written == [3, 3]
        for process in processes:
            await process.close()


async def test_posts_of_one_transaction_update_devices_in_the_order_in_which_ingest_locks_devices(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = HandClock()
    home = await household(database, clock)
    service = ObservationService(database, clock, UlidIds(clock))
    # The ids ascend in the order of the enrolments, and the IEEE 11073 system ids descend.
    ids = []
    for number in range(3):
        clock.advance(us=1000)
        system_id = f"{9 - number:016x}"
        device = await enrolled(database, clock, home, serial_number=f"SN-{number}", system_id=system_id)
        ids.append(device.id)
    for device_id in ids:
        await service.post(home.viewer, service.draft(device_id, **SPO2))
    clock.advance(us=3_600_000_000)  # so that each post updates the device's row
    updated: list[str] = []
    update = Devices.heard

    async def noted(self: Devices, tx: Transaction, tenant_id: str, device_id: str, seen_us: int) -> None:
        updated.append(device_id)
        await update(self, tx, tenant_id, device_id, seen_us)

    monkeypatch.setattr(Devices, "heard", noted)
    rows = [service.expected_row(home.viewer, service.draft(device_id, **SPO2)) for device_id in ids]
    async with database.transaction() as tx:
        assert len(await service.write(tx, [row for row in rows if row is not None])) == 3
    assert updated == sorted(ids) == ids
