"""Arrival at the hospital: when the crew expects it, and when the record states it.

An expectation is a statement of the crew with the time at which it was made, and is shown with its age: an estimate
of ten minutes ago is worth less than a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.handover.wording import Wording, microseconds_of
from protocols.epcr.record import current_record

ARRIVED: Final = ("times.at_destination", "times.transfer_of_care")
"""Elements that state that the patient has arrived."""


@dataclass(frozen=True, slots=True)
class ExpectedArrival:
    """An estimate of the crew: the patient arrives at `at_us`, as stated at `stated_us`; both in µs since 1970."""

    at_us: int
    stated_us: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """The arrival that a record states: its time in µs since 1970, and the number of changes of the log up to the one
    that states it first."""

    at_us: int
    changes: int


def expected_arrival(changes: Sequence[FieldChange]) -> ExpectedArrival | None:
    """Return the last estimate of a log; None without one."""
    for change in reversed(changes):
        if change.key == Annotation.ARRIVAL and change.action is Action.SET and change.value is not None:
            at_us = _moment(change.value)
            if at_us is not None:
                return ExpectedArrival(at_us, change.gateway_time_us)
    return None


def arrival(changes: Sequence[FieldChange]) -> Arrival | None:
    """Return the arrival that stands in a log; None before it. An arrival that was withdrawn is none."""
    if not any(change.key in ARRIVED for change in changes):
        return None
    standing = current_record(changes).standing
    for number, change in enumerate(changes, 1):
        if change.key in ARRIVED and change.id in standing and change.value is not None:
            at_us = _moment(change.value)
            if at_us is not None:
                return Arrival(at_us, number)
    return None


def arrival_words(changes: Sequence[FieldChange], wording: Wording) -> str:
    """Return the sentence about the arrival: when it was, otherwise when it is expected and when that was stated;
    empty without either."""
    if (arrived := arrival(changes)) is not None:
        return wording.words(PHRASES["arrived"]).format(time=wording.time(arrived.at_us))
    expected = expected_arrival(changes)
    if expected is None:
        return ""
    age = wording.age(min(expected.stated_us, wording.now_us))
    return wording.words(PHRASES["arrival"]).format(time=wording.time(expected.at_us), age=age)


def _moment(value: str) -> int | None:
    try:
        return microseconds_of(value)
    except (ValueError, OverflowError, TypeError):
        return None
