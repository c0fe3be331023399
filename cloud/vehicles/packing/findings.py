"""Finding of `argus-cloud doctor`: how far the packing of numerics is."""

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.findings import Finding, Level
from cloud.foundation.moments import write_moment
from cloud.foundation.retention import DAY_US
from cloud.vehicles.packing.store import PackingStore

PART = "packed numerics"
LATE_DAYS = 2
"""Days that a batch may be due before `doctor` warns. Each night a whole day becomes due."""


async def packing_findings(database: Database, clock: Clock, after_days: int, *, has_objects: bool) -> list[Finding]:
    """Report how many lanes have batches that are due to be packed. There is no finding if nothing is ever packed."""
    if not after_days or not has_objects:
        return []
    store = PackingStore(after_days)
    async with database.read() as tx:
        before_us = await store.before_us(tx, clock.now_us())
        lanes, oldest_us = (0, None) if before_us is None else await store.oldest_due(tx, before_us)
    if before_us is None or oldest_us is None:
        return [Finding(PART, Level.OK, "No batches of numerics are due to be packed.")]
    where = "one lane" if lanes == 1 else f"{lanes} lanes"
    sentence = f"Batches of numerics in {where} are due to be packed, from {write_moment(oldest_us)} on."
    if oldest_us >= before_us - LATE_DAYS * DAY_US:
        return [Finding(PART, Level.OK, sentence)]
    advice = " Does a process with the worker role run? After an upgrade this takes hours; the log has the progress."
    return [Finding(PART, Level.WARNING, sentence + advice)]
