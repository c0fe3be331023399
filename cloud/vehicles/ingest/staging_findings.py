"""Finding of `argus-cloud doctor`: staged batches whose rows should have been written."""

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.objects import ObjectStore
from cloud.foundation.retention import DAY_US
from cloud.vehicles.ingest.staged_sweeping import LATE_US, LEFT_DAYS, staged_before

PART = "staged batches"


async def staged_findings(objects: ObjectStore | None, clock: Clock) -> list[Finding]:
    """Report staged objects that are late. There is no finding without an object store, or with one that cannot be
    used, which has a finding of its own."""
    if objects is None:
        return []
    now_us = clock.now_us()
    try:
        late = len([one async for one in staged_before(objects, now_us - LATE_US)])
        staged = len([one async for one in staged_before(objects, now_us + DAY_US)])
    except DomainError:
        return []
    if not late:
        return [Finding(PART, Level.OK, f"{staged} objects have batches whose rows are written within minutes.")]
    sentence = (
        f"{late} staged objects have batches whose rows should have been written. Start a process with the ingest "
        f"role; if they stay, keep a copy, and send the log to the vendor. They are removed after {LEFT_DAYS} days."
    )
    return [Finding(PART, Level.WARNING, sentence)]
