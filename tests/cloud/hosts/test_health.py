"""The readiness response names the part of the cloud that is not ready and the reason, and contains no secret."""

import asyncio

from sqlalchemy import text

from cloud.foundation.checks import BrokerCheck, Check, DatabaseCheck, StoppingCheck
from cloud.foundation.db import Database
from cloud.foundation.health.routes import HealthHandlers


async def readiness(*checks: Check) -> tuple[int, dict[str, object]]:
    status, document = await HealthHandlers(checks).readiness()
    return status, dict(document)


async def test_readiness_returns_200_when_every_check_passes(database: Database) -> None:
    checks = (DatabaseCheck(database), BrokerCheck(lambda: True), StoppingCheck(asyncio.Event()))
    status, said = await readiness(*checks)
    assert (status, said["status"]) == (200, "ready")
    assert said["parts"] == {"database": "ok", "broker": "ok", "process": "ok"}


async def test_readiness_returns_503_while_the_database_is_at_another_migration_revision(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    status, said = await readiness(DatabaseCheck(database))
    assert status == 503
    assert "newer Argus" in str(said["parts"])


async def test_readiness_returns_503_while_the_broker_is_disconnected_or_the_process_is_stopping() -> None:
    stopping = asyncio.Event()
    stopping.set()
    status, said = await readiness(BrokerCheck(lambda: False), StoppingCheck(stopping))
    assert (status, said["status"]) == (503, "unready")
    assert said["parts"] == {
        "broker": "The broker is not connected. Batches are queued in the broker and in the vehicles.",
        "process": "The process is stopping.",
    }


class Broken:
    part = "broken"

    async def why_not(self) -> str | None:
        raise RuntimeError("password=synthetic")


class Silent:
    part = "silent"

    async def why_not(self) -> str | None:
        await asyncio.Event().wait()
        return None


async def test_readiness_returns_503_when_a_check_fails_or_times_out() -> None:
    handlers = HealthHandlers((Broken(), Silent()), patience_s=0.05)
    status, said = await handlers.readiness()
    assert status == 503
    assert said["parts"] == {"broken": "The check itself failed (RuntimeError).", "silent": "The check timed out."}
