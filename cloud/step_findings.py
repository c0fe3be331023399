"""Findings of `argus-cloud doctor` about background steps and the revision of the database."""

from collections.abc import Iterator

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, known_revisions, read_revision
from cloud.foundation.findings import Finding, Level
from cloud.foundation.steps import StepState, StepStore

PART = "steps"
STALLED_S = 600.0
"""Time without progress after which a step counts as stalled: a chunk takes less than a second, and a process that was
killed is replaced within a minute."""


async def step_findings(database: Database, clock: Clock) -> list[Finding]:
    """Report each unfinished background step: how far it is, and whether it fails or stalls."""
    async with database.read() as tx:
        unfinished = await StepStore().unfinished(tx)
    found = [_finding(state, clock.now_us()) for state in unfinished]
    return found or [Finding(PART, Level.OK, "All background steps have ended.")]


async def revision_sentence(database: Database) -> str:
    """Return a sentence about a database that a newer program migrated; empty for any other database."""
    revision = await read_revision(database)
    if revision is None or revision.applied <= known_revisions()[-1]:
        return ""
    return (
        f" A newer Argus migrated it to {revision.applied}. This one knows up to {known_revisions()[-1]} and is "
        "compatible: upgrade again when the reason for going back is gone."
    )


def _finding(state: StepState, now_us: int) -> Finding:
    sentence = f"{state.name} ({state.purpose}): {' '.join(_facts(state, now_us))}"
    if state.failure is not None:
        return Finding(PART, Level.WARNING, f"{sentence} The last attempt failed: {state.failure}")
    last_us = max(state.progress_at_us or 0, state.started_at_us or 0, state.registered_at_us)
    if now_us - last_us > STALLED_S * 1_000_000 and not state.is_leased(now_us):
        return Finding(PART, Level.WARNING, f"{sentence} No process continues it; does one run with the worker role?")
    return Finding(PART, Level.OK, sentence)


def _facts(state: StepState, now_us: int) -> Iterator[str]:
    if state.started_at_us is None:
        yield "not begun yet."
        return
    yield f"{state.percent} % done ({state.rows_done} of about {state.rows_total} rows)."
    if 0 < state.rows_done < state.rows_total and now_us > state.started_at_us:
        left_s = (now_us - state.started_at_us) / 1e6 / state.rows_done * (state.rows_total - state.rows_done)
        yield f"About {max(1, round(left_s / 60))} min left."
