"""Finding of `argus-cloud doctor`: staged batches whose rows should have been written."""

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.ids import time_of_ulid
from cloud.foundation.objects import ObjectStore
from cloud.vehicles.ingest.staged_object import STAGED

PART = "staged batches"
LATE_US = 1_200_000_000
"""Age of a staged object from which on `doctor` warns: twice the longest time for which rows may wait."""


async def staged_findings(objects: ObjectStore | None, clock: Clock) -> list[Finding]:
    """Report staged objects that are late. There is no finding without an object store, or with one that cannot be
    used, which has a finding of its own."""
    if objects is None:
        return []
    before_us = clock.now_us() - LATE_US
    staged = late = 0
    try:
        async for page in objects.pages(STAGED):
            staged += len(page)
            late += sum((time_of_ulid(one.name.rpartition("/")[2]) or 0) < before_us for one in page)
    except DomainError:
        return []
    if not late:
        return [Finding(PART, Level.OK, f"{staged} objects have batches whose rows are written within minutes.")]
    sentence = (
        f"{late} staged objects have batches whose rows should have been written. Start a process with the ingest "
        "role; if they stay, keep them, and send the log to the vendor."
    )
    return [Finding(PART, Level.WARNING, sentence)]
