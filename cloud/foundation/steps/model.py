"""The stored state of a background step: how far it is, and whether it fails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """The stored state of a step. `revision` is the newest migration of the program that declared the step first or,
    for a step that repeats, last."""

    name: str
    purpose: str
    revision: str
    position: str = ""
    rows_done: int = 0
    rows_total: int = 0
    registered_at_us: int
    started_at_us: int | None = None
    progress_at_us: int | None = None
    finished_at_us: int | None = None
    lease_token: int = 0
    lease_until_us: int | None = None
    retry_at_us: int | None = None
    failures: int = 0
    failure: str | None = None
    """Sentence of the last failure; None since the last progress."""

    @property
    def percent(self) -> int:
        """The part of the rows that is done. It is 100 only for a finished step, since the total is an estimate."""
        if self.finished_at_us is not None:
            return 100
        return min(99, 100 * self.rows_done // self.rows_total) if self.rows_total else 0

    def is_leased(self, now_us: int) -> bool:
        return self.lease_until_us is not None and self.lease_until_us > now_us
