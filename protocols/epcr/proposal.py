"""Proposals: what the devices measured and did during a call, offered to the crew as entries of the report.

A proposal becomes an entry only when a crew member accepts it. Its id follows from the measurement, and is the id of
the entry: two tablets that accept one proposal write one entry, with equal values. Each accepted value has a source:
the device, its time as sent, the corrected time with its uncertainty, its quality marks, and its place in the stored
record.

Vital signs are offered as sets: one for each blood pressure, and otherwise one every five minutes, each with the values
that were measured closest to its moment. Monitors keep their own log in the same rhythm.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.measured import Reading
from protocols.observation_record import ObservationRecord, to_json, utc_text

_ID_DIGITS = 20
_AUTHOR_DIGITS = 8
_FACTS = (
    *("type", "value", "unit", "status", "flags"),
    *("device_time", "observed_at", "uncertainty_ms", "wall_synchronised", "received_at"),
)
"""Facts of the public JSON form of an observation that a source keeps (DESIGN §5)."""


class ProposalKind(StrEnum):
    """Kind of a proposal."""

    VITALS = "vitals"
    SHOCK = "shock"
    PADS = "pads"
    COMPRESSIONS = "compressions"
    PACING = "pacing"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class ProposedValue:
    """One value of an entry. `record`: the observation it was taken from, None for a value that only follows from the
    kind of the event. `flags`: marks of ours beside those of the device."""

    key: str
    value: str
    record: ObservationRecord | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One proposed entry; its id is the entry's. `anchor` is the observation that decides about its time."""

    id: str
    kind: ProposalKind
    anchor: ObservationRecord
    values: tuple[ProposedValue, ...]

    @property
    def at_us(self) -> int:
        """Corrected time in µs since 1970 (UTC)."""
        return self.anchor.observed_at_us

    @property
    def groups(self) -> frozenset[str]:
        """The groups that get an entry."""
        return frozenset(each.key.partition(".")[0] for each in self.values)


def origin_of(record: ObservationRecord) -> str:
    """Return the place of an observation in the stored record, which identifies it for ever."""
    return f"{record.gateway}/{record.epoch}/{record.lane.value}/{record.sequence}/{record.index}"


def proposal_id(kind: ProposalKind, anchor: ObservationRecord) -> str:
    """Return the id of the proposal of this kind that an observation gives."""
    digest = hashlib.sha256(f"{kind}\0{origin_of(anchor)}".encode()).hexdigest()
    return f"p{digest[:_ID_DIGITS]}"


def source_value(record: ObservationRecord, flags: Sequence[str] = ()) -> str:
    """Return the value of `record.source`, a JSON object: the facts about a measurement, its device and its origin.
    `flags` are marks of ours beside those of the observation."""
    form = to_json(record)
    facts = {name: form[name] for name in _FACTS}
    marks = form["flags"]
    assert isinstance(marks, list)
    facts |= {
        "origin": origin_of(record),
        "device": record.device.system_id,
        "model": record.device.model,
        "flags": [*marks, *flags],
    }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def vitals(anchor: Reading, readings: Sequence[Reading], flags: Sequence[str]) -> Proposal:
    """Return the proposal of a set of vital signs with its readings. `flags` are ours, for values of continuous
    measurement."""
    record = anchor.record
    values = [ProposedValue("vitals.time", utc_text(record.observed_at_us), record)]
    for reading in readings:
        marks = () if reading.is_spot else tuple(flags)
        values.append(ProposedValue(reading.key, reading.value, reading.record, marks))
        values += [ProposedValue(key, value) for key, value in reading.with_it]
    return Proposal(
        id=proposal_id(ProposalKind.VITALS, record), kind=ProposalKind.VITALS, anchor=record, values=tuple(values)
    )


def device_event(kind: ProposalKind, anchor: ObservationRecord, details: Sequence[ProposedValue]) -> Proposal:
    """Return the proposal of an event of a device, with the serial number under which the device is known."""
    time = utc_text(anchor.observed_at_us)
    values = [
        ProposedValue("devices.time", time, anchor),
        ProposedValue("devices.serial_number", anchor.device.system_id),
        *details,
    ]
    if any(each.key.startswith("procedures.") for each in details):
        values.append(ProposedValue("procedures.time", time, anchor))
    return Proposal(id=proposal_id(kind, anchor), kind=kind, anchor=anchor, values=tuple(values))


def accepted(
    proposal: Proposal, *, encounter: str, author: str, gateway_time_us: int, device_time_us: int | None
) -> list[FieldChange]:
    """Return the changes by which an author accepts a proposal. Their ids follow from the proposal and the author, so a
    request that is sent again states nothing new."""
    tag = hashlib.sha256(author.encode()).hexdigest()[:_AUTHOR_DIGITS]
    changes: list[FieldChange] = []

    def state(change_id: str, key: str, entry: str, value: str) -> None:
        changes.append(
            FieldChange(
                id=change_id,
                encounter=encounter,
                key=key,
                author=author,
                gateway_time_us=gateway_time_us,
                entry=entry,
                value=value,
                device_time_us=device_time_us,
            )
        )

    for number, each in enumerate(proposal.values):
        change_id = f"{proposal.id}-{tag}-{number}"
        state(change_id, each.key, proposal.id, each.value)
        if each.record is not None:
            state(f"{change_id}s", Annotation.SOURCE, change_id, source_value(each.record, each.flags))
    return changes
