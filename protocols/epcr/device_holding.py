"""Decisions about which report a vehicle's devices measure for, and since when (DESIGN D16).

One report at a time holds the devices of a vehicle. A report that is opened takes them where no other report holds
them; a crew member moves them with one tap. Each decision is a change in the log of its report (`record.devices`), so
it is sealed, reaches the cloud, and names who decided.

A decision names its place in the vehicle's record: the last batch of measurements before it, and the moment on the
machine's monotonic clock. So no step of the wall clock moves a measurement to another report.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from protocols.clock_anchor import Anchors
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.uplink.topics import is_identifier

_NUMBER_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlace:
    """Place of a decision: `numeric` is the sequence number of the last batch of numerics before it in the store
    `epoch`, and `monotonic_us` its moment in the boot `boot_id` of the machine."""

    epoch: str
    numeric: int
    boot_id: str
    monotonic_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDecision:
    """One decision. `holds` True: the devices measure for this report from `place` on. False: for none; the report was
    opened while another one held them, or was signed. `decided_us`: wall clock of the gateway when it was stored."""

    encounter: str
    holds: bool
    place: DevicePlace
    decided_us: int


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the vehicle's record: after `first`, up to `last`; None: it continues."""

    first: int
    last: int | None

    def has(self, number: int) -> bool:
        return self.first < number and (self.last is None or number <= self.last)


def decision_value(*, holds: bool, place: DevicePlace) -> str:
    """Return the value of `record.devices`."""
    return json.dumps({"holds": holds, **asdict(place)}, separators=(",", ":"))


def read_decision(change: FieldChange) -> DeviceDecision | None:
    """Return the decision in a change; None for another change, and for a form that this release does not know."""
    if change.key != Annotation.DEVICES:
        return None
    try:
        found = json.loads(change.value or "")
        holds, place = found.pop("holds"), DevicePlace(**found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    numbers = (place.numeric, place.monotonic_us)
    texts = (place.epoch, place.boot_id)
    if type(holds) is not bool or not all(type(each) is int and 0 <= each <= _NUMBER_MAX for each in numbers):
        return None
    if not all(isinstance(each, str) for each in texts) or not is_identifier(place.epoch):
        return None
    return DeviceDecision(encounter=change.encounter, holds=holds, place=place, decided_us=change.gateway_time_us)


def spans_of(decisions: Iterable[DeviceDecision], at: Callable[[DeviceDecision], int]) -> dict[str, Sequence[Span]]:
    """Return the parts of the record that belong to each report. `decisions` are in the order in which they were
    stored; a later one counts from its place on, whatever was decided before. `at` returns the place of a decision as a
    number: a sequence number or a time."""
    turns: list[tuple[int, str | None]] = []
    for decision in decisions:
        place = at(decision)
        holder = turns[-1][1] if turns else None
        if not decision.holds and holder != decision.encounter:
            continue  # it never had them
        while turns and turns[-1][0] >= place:
            turns.pop()
        turns.append((place, decision.encounter if decision.holds else None))
    found: dict[str, list[Span]] = {}
    for number, (place, encounter) in enumerate(turns):
        if encounter is not None:
            after = turns[number + 1][0] if number + 1 < len(turns) else None
            found.setdefault(encounter, []).append(Span(place, after))
    return dict(found)


def moment_of(decision: DeviceDecision, anchors: Anchors) -> int:
    """Return the time of a decision in µs since 1970: by the anchor of its boot, otherwise by the gateway's clock."""
    anchor = anchors.get(decision.place.boot_id)
    return decision.decided_us if anchor is None else decision.place.monotonic_us + anchor.offset_us


def holder_of(decisions: Iterable[DeviceDecision]) -> str | None:
    """Return the report that holds the devices after these decisions; None where none does."""
    holder: str | None = None
    for decision in decisions:
        if decision.holds:
            holder = decision.encounter
        elif holder == decision.encounter:
            holder = None
    return holder
