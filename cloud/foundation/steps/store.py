"""The statements of background steps: register, claim with a lease, store progress, finish.

The lease token fences: a change of a step's row fails if another process has claimed the step since.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, update

from cloud.foundation.db import Records, Transaction
from cloud.foundation.step import Chunk, Step
from cloud.foundation.steps.errors import StepLeaseLost
from cloud.foundation.steps.model import StepState
from cloud.foundation.steps.tables import background_steps

_steps = background_steps.c
_STATES = Records(StepState, background_steps)


class StepStore:
    """SQL statements on the table of background steps."""

    async def register(self, tx: Transaction, steps: Sequence[Step], revision: str, now_us: int) -> None:
        """Add the steps that the table does not have. Begin the steps of later programs again, since rows that this
        program writes are unknown to them, and the repeating steps if another program registered them last."""
        known = {state.name: state.revision for state in await self.list(tx)}
        for step in steps:
            if step.name not in known:
                state = StepState(name=step.name, purpose=step.purpose, revision=revision, registered_at_us=now_us)
                await _STATES.add(tx, state)
        repeating = [step.name for step in steps if step.repeats]
        await self._begin_again(tx, _steps.name.in_(repeating), _steps.revision != revision, revision=revision)
        await self._begin_again(tx, _steps.revision > revision)

    async def _begin_again(self, tx: Transaction, *conditions: ColumnElement[bool], **values: str) -> None:
        """Begin the steps again that meet these conditions. A process that runs one now loses its lease."""
        begun_again = {"finished_at_us": None, "position": "", "rows_done": 0, "lease_until_us": None, **values}
        statement = update(background_steps).where(*conditions)
        await tx.execute(statement.values(lease_token=_steps.lease_token + 1, **begun_again))

    async def list(self, tx: Transaction) -> Sequence[StepState]:
        """Return the state of every step, in the order of registration."""
        return await _STATES.all(tx, _STATES.select().order_by(_steps.registered_at_us, _steps.name))

    async def end_pauses(self, tx: Transaction) -> None:
        """Make the steps that failed due now."""
        await tx.execute(update(background_steps).values(retry_at_us=None))

    async def claim(self, tx: Transaction, names: Sequence[str], now_us: int, lease_us: int) -> StepState | None:
        """Claim the first due step of `names`; None if there is none, or if any process runs a step now."""
        states = await self.list(tx)
        if any(state.is_leased(now_us) and state.finished_at_us is None for state in states):
            return None
        due = (
            state
            for state in states
            if state.name in names and state.finished_at_us is None and (state.retry_at_us or 0) <= now_us
        )
        found = next(due, None)
        if found is None:
            return None
        values = {
            "lease_token": found.lease_token + 1,
            "lease_until_us": now_us + lease_us,
            "started_at_us": now_us if found.started_at_us is None else found.started_at_us,
        }
        try:
            await self._change(tx, found, values)
        except StepLeaseLost:
            return None  # another process claimed it just now
        return next(state for state in await self.list(tx) if state.name == found.name)

    async def keep(self, tx: Transaction, claimed: StepState, chunk: Chunk, now_us: int, lease_us: int) -> None:
        """Store the position and the rows of a chunk in the chunk's transaction, and renew the lease. Raises
        `StepLeaseLost`; the caller must then roll back."""
        values: dict[str, Any] = {
            "position": chunk.position,
            "rows_done": _steps.rows_done + chunk.rows,
            "progress_at_us": now_us,
            "lease_until_us": now_us + lease_us,
            "failures": 0,
            "failure": None,
        }
        if chunk.ended:
            values |= {"finished_at_us": now_us, "lease_until_us": None}
        await self._change(tx, claimed, values)

    async def renew(
        self, tx: Transaction, claimed: StepState, rows: tuple[int, int] | None, now_us: int, lease_us: int
    ) -> None:
        """Renew the lease of a step, and store its rows that are done and their total. Raises `StepLeaseLost`."""
        values: dict[str, Any] = {"lease_until_us": now_us + lease_us}
        if rows is not None:
            values |= {"rows_done": rows[0], "rows_total": rows[1], "progress_at_us": now_us}
        await self._change(tx, claimed, values)

    async def set_total(self, tx: Transaction, claimed: StepState, rows_total: int) -> None:
        await self._change(tx, claimed, {"rows_total": rows_total})

    async def finish(self, tx: Transaction, claimed: StepState, now_us: int) -> None:
        """Mark a step as finished. Raises `StepLeaseLost`."""
        values = {"finished_at_us": now_us, "progress_at_us": now_us, "lease_until_us": None}
        await self._change(tx, claimed, {**values, "failures": 0, "failure": None})

    async def fail(self, tx: Transaction, claimed: StepState, sentence: str, retry_at_us: int) -> None:
        """Store why a step failed and when it is tried again, and release it. Raises `StepLeaseLost`."""
        values = {"failures": _steps.failures + 1, "failure": sentence, "retry_at_us": retry_at_us}
        await self._change(tx, claimed, {**values, "lease_until_us": None})

    async def release(self, tx: Transaction, claimed: StepState) -> None:
        """Let another process continue with the step at once. Raises `StepLeaseLost`."""
        await self._change(tx, claimed, {"lease_until_us": None})

    async def _change(self, tx: Transaction, claimed: StepState, values: dict[str, Any]) -> None:
        statement = update(background_steps).where(
            _steps.name == claimed.name,
            _steps.lease_token == claimed.lease_token,
            _steps.finished_at_us.is_(None),
        )
        if (await tx.execute(statement.values(**values))).rowcount != 1:
            raise StepLeaseLost

    async def unfinished(self, tx: Transaction) -> Sequence[StepState]:
        """Return the steps that have not ended, in the order of registration."""
        return [state for state in await self.list(tx) if state.finished_at_us is None]
