"""Findings of `argus-cloud doctor` about erasures."""

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.findings import Finding, Level
from cloud.vehicles.erasure.store import ErasureState, ErasureStore

PART = "erasures"
LATE_US = 86_400_000_000
"""Age of an unfinished erasure above which `doctor` warns: most of them take some hours."""


async def erasure_findings(database: Database, clock: Clock) -> list[Finding]:
    """Report each unfinished erasure: its phase, and why it does not continue."""
    async with database.read() as tx:
        unfinished = await ErasureStore().states(tx)
    found = [_finding(one, clock.now_us()) for one in unfinished]
    return found or [Finding(PART, Level.OK, "No erasure is unfinished.")]


def _finding(erasure: ErasureState, now_us: int) -> Finding:
    sentence = f"{erasure.erasure_id} of {erasure.encounter_id} is in its phase {erasure.phase}."
    if erasure.failure is not None:
        sentence += f" {erasure.failure}"
    late = now_us - erasure.requested_at_us > LATE_US
    advice = " Does a process with the worker role run, and does a legal hold keep the encounter?" if late else ""
    return Finding(PART, Level.WARNING if late else Level.OK, sentence + advice)
