"""A change and its audit entry are written in one transaction: neither is stored without the other (contract C-017)."""

import pytest

from cloud.access.audit import Audit, Outcome
from cloud.foundation.db import Database
from cloud.foundation.retention import DAY_US
from cloud.foundation.trace import TraceContext, begin_trace
from cloud.foundation.viewer import Actor
from tests.builders.cloud_people import HandClock
from tests.builders.parts import sweep_once


def actor(tenant: str = "tnt_north", organization: str = "org_north", trace: TraceContext | None = None) -> Actor:
    """Return the app `app_north` as an actor in this tenant and organisation."""
    return Actor(tenant, organization, subject="app_north", client_id="app_north", trace=trace)


NORTH = actor()


@pytest.mark.contract("C-017")
async def test_audit_entry_contains_the_actor_and_action_and_object_and_outcome_and_trace_id(
    database: Database,
) -> None:
    audit, trace = Audit(HandClock()), begin_trace()
    async with database.transaction() as tx:
        await audit.record(tx, actor(trace=trace), "evidence.verify", "ev_1", metadata={"record_count": 3})
        await audit.record(tx, Actor.operator("tnt_north"), "device.retire", "dev_1", Outcome.REFUSED)
    async with database.read() as tx:
        refused, done = await audit.list(tx, Actor.operator("tnt_north"))
    assert (done.actor, done.client_id, done.action, done.object) == (
        "app_north",
        "app_north",
        "evidence.verify",
        "ev_1",
    )
    assert (done.outcome, done.trace_id, done.metadata) == (Outcome.DONE, trace.trace_id, {"record_count": 3})
    assert (refused.actor, refused.client_id, refused.outcome) == ("operator", None, Outcome.REFUSED)


async def test_rolled_back_change_leaves_no_audit_entry(database: Database) -> None:
    audit = Audit(HandClock())

    async def fail() -> None:
        async with database.transaction() as tx:
            await audit.record(tx, NORTH, "device.enrol", "dev_1")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await fail()
    async with database.read() as tx:
        assert await audit.list(tx, Actor.operator("tnt_north")) == []


@pytest.mark.contract("C-013", "S-062")
async def test_audit_entries_of_another_tenant_or_organisation_are_not_listed(database: Database) -> None:
    audit = Audit(HandClock())
    async with database.transaction() as tx:
        await audit.record(tx, actor(tenant="tnt_south"), "device.enrol", "dev_1")
        await audit.record(tx, actor(organization="org_other"), "device.enrol", "dev_2")
    async with database.read() as tx:
        assert await audit.list(tx, NORTH) == []
        assert [entry.object for entry in await audit.list(tx, Actor.operator("tnt_north"))] == ["dev_2"]


async def test_audit_entries_older_than_the_retention_period_are_deleted(database: Database) -> None:
    clock = HandClock()
    audit = Audit(clock)
    for _ in range(2):
        async with database.transaction() as tx:
            await audit.record(tx, NORTH, "device.enrol", "dev_1")
        clock.advance(us=10)
    clock.advance(us=10 * 366 * DAY_US - 10)
    assert await sweep_once(database, clock, "audit") == 1
    async with database.read() as tx:
        assert len(await audit.list(tx, NORTH, action="device.enrol")) == 1
