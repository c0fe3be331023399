"""Background steps: long work after an upgrade, such as filling a column or building an index, done beside requests.

A step is safe to interrupt at any point and to repeat. It never depends on another unfinished step. A `RowStep` handles
a limited number of rows in each transaction, together with the position at which the next transaction continues. A
`LongStep` is a statement that no transaction can contain, such as CREATE INDEX CONCURRENTLY on PostgreSQL; it finds out
itself what is left to do.

A step has ended for good when it reports its end. A program of an earlier release, which an operator went back to,
writes rows that the step has not seen. It therefore begins the steps that it does not know again, and they run when the
newer program is back.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from cloud.foundation.db import Transaction
from cloud.foundation.errors import PrivateError


class StepBlocked(PrivateError, code="step_blocked"):
    """The background step cannot continue by itself."""


Report = Callable[[int, int], None]
"""Takes the number of rows that are done and their total, for the progress that operators see."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The result of one transaction of a `RowStep`: the position at which the next one continues, the number of rows
    handled, and whether none are left."""

    position: str
    rows: int
    ended: bool


@dataclass(frozen=True, slots=True)
class RowStep:
    """A step that handles rows in chunks. `work(tx, position, rows_max)` handles at most `rows_max` rows from
    `position` on, which is empty at first. It reads no more rows than a small multiple of `rows_max`. `estimate(tx)`
    returns the approximate number of rows to handle, and is as fast as a query by key. With `repeats` the step begins
    again after each upgrade and each way back."""

    name: str
    purpose: str
    work: Callable[[Transaction, str, int], Awaitable[Chunk]]
    estimate: Callable[[Transaction], Awaitable[int]]
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class LongStep:
    """A step outside transactions. `run(report, may_pause)` returns when the step has ended, and may be cancelled at
    any point. Only if `may_pause` is True may it make requests wait for longer than a few seconds; the operator has
    then stopped the service. Raises `StepBlocked` if it cannot go on without. `repeats` is as for `RowStep`."""

    name: str
    purpose: str
    run: Callable[[Report, bool], Coroutine[None, None, None]]
    repeats: bool = False


Step = RowStep | LongStep
