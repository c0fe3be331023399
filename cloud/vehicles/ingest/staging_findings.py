"""Finding of `argus-cloud doctor`: staged batches whose rows should have been written."""

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.objects import ObjectStore
from cloud.foundation.retention import DAY_US
from cloud.vehicles.ingest.staged_sweeping import LATE_US, LEFT_DAYS, staged_before, tenants_of

PART = "staged batches"
READ_MAX = 100
"""Late objects that one examination reads, each of 16 MiB at most."""
NAMED_MAX = 5
"""Damaged objects that a finding names. The others follow when these are moved."""


async def staged_findings(objects: ObjectStore | None, clock: Clock) -> list[Finding]:
    """Report staged objects that are late. There is no finding without an object store, or with one that cannot be
    used, which has a finding of its own."""
    if objects is None:
        return []
    now_us = clock.now_us()
    try:
        late = [one async for one in staged_before(objects, now_us - LATE_US)]
        staged = len([one async for one in staged_before(objects, now_us + DAY_US)])
        damaged = [one.name for one in late[:READ_MAX] if await tenants_of(objects, one) is None]
    except DomainError:
        return []
    findings = []
    if damaged:
        sentence = (
            f"{len(damaged)} staged objects are damaged: {', '.join(damaged[:NAMED_MAX])}. Their batches may be of any "
            "tenant, so the erasures of all tenants wait. Move each to a file with `argus-cloud ingest move-staged "
            f"NAME FILE`, and send the log to the vendor. They are removed after {LEFT_DAYS} days."
        )
        findings.append(Finding(PART, Level.WARNING, sentence))
    if len(late) > len(damaged):
        sentence = (
            f"{len(late) - len(damaged)} staged objects have batches whose rows should have been written. Start a "
            "process with the ingest role; if they stay, keep a copy, and send the log to the vendor. They are removed "
            f"after {LEFT_DAYS} days."
        )
        findings.append(Finding(PART, Level.WARNING, sentence))
    if not late:
        sentence = f"{staged} objects have batches whose rows are written within minutes."
        findings.append(Finding(PART, Level.OK, sentence))
    return findings
