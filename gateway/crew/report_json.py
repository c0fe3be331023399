"""JSON forms of a report draft for the page: its record field by field, what follows from it, and proposals."""

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.epcr.draft_log import Draft
from protocols.epcr.change import FieldChange
from protocols.epcr.draft import Conflict, open_conflicts
from protocols.epcr.entries import Entries
from protocols.epcr.gaps import find_gaps
from protocols.epcr.measured import readings_of
from protocols.epcr.medication_totals import same_doses, totals
from protocols.epcr.proposal import Proposal, ProposedValue
from protocols.epcr.record import Field
from protocols.observation_record import to_json, uncertainty_ms, utc_text

Json = dict[str, Any]
AGE_S_MAX = 10 * 365 * 86_400
"""A draft that seems older was opened before the gateway knew the time."""


def statement_form(change: FieldChange) -> Json:
    """Return one statement of an author. `at`: the time of the tablet, else that of the gateway."""
    return {
        "id": change.id,
        "action": change.action.value,
        "value": change.value,
        "negative": change.negative,
        "not_recorded": change.not_recorded,
        "author": change.author,
        "at": utc_text(change.gateway_time_us if change.device_time_us is None else change.device_time_us),
    }


def field_form(field: Field) -> Json:
    return {
        "key": field.name.key,
        "entry": field.name.entry,
        "shown": [statement_form(each) for each in field.shown],
        "contradicting": [statement_form(each) for each in field.contradicting],
    }


def conflict_form(conflict: Conflict) -> Json:
    return {
        "key": conflict.name.key,
        "entry": conflict.name.entry,
        "statements": [statement_form(each) for each in conflict.statements],
    }


def draft_form(draft: Draft, fields: Iterable[Field]) -> Json:
    """Return the state of a draft with `fields`: all of them, or those that changed. Everything else is always
    whole."""
    record = draft.record
    stated = Entries(record)
    return {
        "encounter": draft.encounter,
        "sequence": draft.sequence,
        "sealed": draft.sealed,
        "closed": draft.is_incomplete,
        "fields": [field_form(each) for each in fields],
        "void": [
            {"group": name.key, "entry": name.entry, **statement_form(change)} for name, change in record.void.items()
        ],
        "conflicts": [conflict_form(each) for each in open_conflicts(record)],
        "gaps": [{"code": each.code, "key": each.key, "entry": each.entry} for each in find_gaps(record)],
        "totals": [
            {"drug": each.drug, "unit": each.unit, "amount": each.amount, "doses": each.doses}
            for each in totals(stated)
        ],
        "same_doses": [{"first": each.first, "second": each.second} for each in same_doses(stated)],
    }


def listed_form(draft: Draft, now_us: int, *, holds_devices: bool) -> Json:
    """Return a draft in the list. `age_s` is None where the gateway did not know the time when it was opened."""
    stated = Entries(draft.record)
    age_s = (now_us - draft.changes[0].gateway_time_us) // 1_000_000
    return {
        "encounter": draft.encounter,
        "age_s": age_s if 0 <= age_s <= AGE_S_MAX else None,
        "opened_at": utc_text(draft.changes[0].gateway_time_us),
        "sealed": draft.sealed,
        "closed": draft.is_incomplete,
        "holds_devices": holds_devices,
        "complaint": stated.value("situation.complaint"),
        "patient_age": stated.value("patient.age"),
        "sequence": draft.sequence,
        "gaps": len(find_gaps(draft.record)),
    }


def proposal_form(proposal: Proposal) -> Json:
    """Return a proposal with the facts by which a crew member judges it: device, times, uncertainty and marks."""
    anchor = to_json(proposal.anchor)
    devices = dict.fromkeys(
        each.record.device.model or each.record.device.system_id for each in proposal.values if each.record
    )
    return {
        "id": proposal.id,
        "kind": proposal.kind.value,
        "at": utc_text(proposal.at_us),
        "uncertainty_ms": uncertainty_ms(proposal.anchor.uncertainty_us),
        "device_time": anchor["device_time"],
        "devices": list(devices),
        "values": [_value_form(each) for each in proposal.values],
    }


def _value_form(value: ProposedValue) -> Json:
    """Return one value of a proposal. The record has an alarm as an English text (NEMSIS eDevice.08); the page gets the
    measured value that it was about, so that it is read in the language of the tablet."""
    key, text, record = value.key, value.value, value.record
    if key == "devices.interpretation" and record is not None:
        key, text = readings_of(record)[0].key, readings_of(record)[0].value
    return {
        "key": key,
        "value": text,
        "marks": [] if record is None else [*_marks(record), *value.flags],
        "device": None if record is None else record.device.model or record.device.system_id,
    }


def _marks(record: Any) -> Sequence[str]:
    form = to_json(record)
    status, flags = form["status"], form["flags"]
    assert isinstance(status, list)
    assert isinstance(flags, list)
    return [str(each) for each in (*status, *flags)]
