"""Findings of `argus-cloud doctor` about tree heads and their time stamps."""

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.findings import Finding, Level
from cloud.foundation.moments import write_moment
from cloud.foundation.settings import Settings
from cloud.work.tree_heads.model import DAY_US, SETTLE_US, next_due_us
from cloud.work.tree_heads.settings import ProvenanceSection
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.tree_store import TreeStore

PART = "tree heads"
LATE_US = 3_600_000_000
"""Time after which a head that was not made is late: chores run every ten minutes."""


async def tree_head_findings(settings: Settings, database: Database, clock: Clock) -> list[Finding]:
    """Report heads that are late, heads that lack their time stamp, and trees that were changed by hand."""
    now_us = clock.now_us()
    async with database.read() as tx:
        due_us = await TreeStore().oldest_due_us(tx)
        damaged = await TreeStore().damaged(tx, next_due_us(now_us))
        heads, unstamped, given_up, oldest_us = await HeadStore().counts(tx)
    found = []
    if damaged is not None:
        sentence = (
            f"{damaged[0]} trees lack rows, or rows of them were changed by hand; see what is wrong with argus-cloud "
            f"tree-heads check --tenant {damaged[1]}."
        )
        found.append(Finding(PART, Level.FAULT, sentence))
    if due_us is not None and due_us < now_us - LATE_US:
        sentence = (
            f"A tree head has been due since {write_moment(due_us)}. A process with the worker role makes it; does one "
            "run, and can it read the master key?"
        )
        found.append(Finding(PART, Level.WARNING, sentence))
    if settings.find(ProvenanceSection) is None:
        sentence = f"{heads} heads are signed. No time-stamping service is set, so only our own keys prove their times."
        found.append(Finding(PART, Level.OK, sentence))
    elif given_up:
        sentence = (
            f"{given_up} heads have no time stamp, and all attempts failed; see argus-cloud tree-heads list, and begin "
            "again with argus-cloud tree-heads stamp."
        )
        found.append(Finding(PART, Level.WARNING, sentence))
    elif oldest_us is not None and oldest_us < now_us - DAY_US - SETTLE_US:
        sentence = (
            f"A head of {write_moment(oldest_us)} has no time stamp yet; see argus-cloud tree-heads list. The attempts "
            "go on."
        )
        found.append(Finding(PART, Level.WARNING, sentence))
    else:
        found.append(Finding(PART, Level.OK, f"{heads} heads are signed, {heads - unstamped} have a time stamp."))
    return found
