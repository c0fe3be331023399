"""Notifications of PostgreSQL reach the caller, also after the connection was lost."""

import asyncio

import pytest
from sqlalchemy import text

from cloud.foundation.db import open_database
from cloud.foundation.db import postgresql_listener as listener
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster

_NOTIFY = text("SELECT pg_notify('argus_test', CAST(:text AS text))")
_END = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")


@pytest.mark.pg
async def test_notifications_are_received_and_a_lost_connection_is_replaced(
    postgresql: PostgresqlCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "RECONNECT_S", 0.01)
    with postgresql.database() as url:
        database = await open_database(url)
        received: list[str] = []
        listening = asyncio.create_task(database.listen("argus_test", received.append))
        try:
            await eventually(lambda: received == [""])
            async with database.transaction() as tx:
                await tx.execute(_NOTIFY, {"text": "job_1"})
            await eventually(lambda: received == ["", "job_1"])
            async with database.transaction() as tx:
                await tx.execute(_END)
            await eventually(lambda: received == ["", "job_1", ""])
            async with database.transaction() as tx:
                await tx.execute(_NOTIFY, {"text": "job_2"})
            await eventually(lambda: received == ["", "job_1", "", "job_2"])
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await database.close()
