"""`argus-cloud epcr`: care records, with their patient data, for the operator."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cloud.clinical.epcr.evidence import ENCOUNTER_EVIDENCE
from cloud.clinical.epcr.model import MovedInterval
from cloud.clinical.epcr.records import FIND_MOVES, CareRecords, RecordWithHistory
from cloud.clinical.epcr.visible_records import VisibleRecords
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_json, print_table, run
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import write_moment
from protocols.epcr.catalogue import find_element, find_group
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleField, VisibleRecord, VisibleStatement
from protocols.epcr.record import CareRecord, Field

OUTSIDE = (Audience.PARTNERS.value, Audience.TREATMENT.value)
"""Audiences outside of the organisation."""

record_commands = typer.Typer(help="Care records (ePCR). They are patient data.", no_args_is_help=True)


@record_commands.command("show")
def show_record(
    context: typer.Context,
    encounter: Annotated[str, typer.Argument(help="The encounter's id, enc_….")],
    tenant: TenantOption,
    as_json: AsJson = False,
) -> None:
    """Print the current care record of an encounter, and its history: every change, and observations that were moved to
    it or away from it. The audit trail records this."""

    async def read(place: Workplace) -> RecordWithHistory:
        supplies = place.supplies
        evidence = supplies[ENCOUNTER_EVIDENCE](place)
        records = CareRecords(place.database, place.clock, supplies[FIND_MOVES], evidence)
        return await records.read(place.operator(tenant), encounter)

    found = run(context, read, settled=True, waveforms=False)
    if as_json:
        print_json(_document(found))
        return
    typer.echo(f"Encounter {found.encounter.id} ({found.encounter.status})\n")
    print_table("Record", [_field_row(field, found.record) for field in found.record.fields])
    print_table("History", [_history_row(change, state) for change, state in _states(found)])
    if found.moves:
        print_table("Moved observations", [_moved(one) for one in found.moves])
    if found.record.repeated:
        typer.echo(f"{found.record.repeated} repeated changes were ignored.")


@record_commands.command("preview")
def preview_record(
    context: typer.Context,
    encounter: Annotated[str, typer.Argument(help="The encounter's id, enc_….")],
    tenant: TenantOption,
    audience: Annotated[str, typer.Option("--for", help=", ".join(OUTSIDE) + ".")] = Audience.PARTNERS.value,
    as_json: AsJson = False,
) -> None:
    """Print what of a care record may leave: to partners (de-identified), or to the treating hospital (identified). The
    audit trail records this."""
    if audience not in OUTSIDE:
        raise typer.BadParameter(f"{audience!r} is not one of {', '.join(OUTSIDE)}")

    async def visible(place: Workplace) -> VisibleRecord:
        records = VisibleRecords(lambda: load_master_key(place.settings))
        reading = CareRecords(place.database, place.clock, evidence=place.supplies[ENCOUNTER_EVIDENCE](place))
        return await reading.visible(place.operator(tenant), encounter, Audience(audience), records)

    found = run(context, visible)
    if as_json:
        print_json(
            {
                "encounter": encounter,
                "for": found.audience,
                "patient": found.patient,
                "fields": [_visible_field(field) for field in found.fields],
                "withheld": found.withheld,
            }
        )
        return
    typer.echo(f"Patient {found.patient}\n")
    print_table("Record", [_visible_row(field) for field in found.fields])
    if found.withheld:
        typer.echo(f"{found.withheld} statements are withheld, since their content may identify a person.")


def _visible_field(field: VisibleField) -> dict[str, Any]:
    return {
        "key": field.element.key,
        "entry": field.entry or None,
        "shown": [_visible_statement(each) for each in field.shown],
        "contradicting": [_visible_statement(each) for each in field.contradicting],
        "void": field.void,
    }


def _visible_statement(statement: VisibleStatement) -> dict[str, Any]:
    return {
        "value": statement.value,
        "or_more": statement.or_more,
        "negative": statement.negative,
        "not_recorded": statement.not_recorded,
    }


def _visible_row(field: VisibleField) -> dict[str, Any]:
    return {
        "element": _title(field.element.key),
        "entry": field.entry,
        "content": "; ".join(map(_visible_content, field.shown)),
        "contradiction": "; ".join(map(_visible_content, field.contradicting)),
        "void": field.void or None,
    }


def _visible_content(statement: VisibleStatement) -> str:
    return _joined(statement.value, statement.negative, statement.not_recorded) + " or over" * statement.or_more


def _states(found: RecordWithHistory) -> Sequence[tuple[FieldChange, str]]:
    """Return each change with its state: it stands, another change replaced it, or it repeats an id."""
    seen: set[str] = set()
    states: list[tuple[FieldChange, str]] = []
    for change in found.history:
        state = "replaced"
        if change.id in seen:
            state = "repeated"
        elif change.id in found.record.standing:
            state = "stands"
        elif change.action is Action.REMOVE:
            state = "withdrawal"
        seen.add(change.id)
        states.append((change, state))
    return states


def _document(found: RecordWithHistory) -> dict[str, Any]:
    return {
        "encounter": found.encounter.id,
        "status": found.encounter.status,
        "fields": [
            {
                "key": field.name.key,
                "entry": field.name.entry or None,
                "known": find_element(field.name.key) is not None,
                "shown": [_statement(change) for change in field.shown],
                "contradicting": [_statement(change) for change in field.contradicting],
                "void": None if (void := found.record.declared_void(field.name)) is None else void.id,
            }
            for field in found.record.fields
        ],
        "repeated": found.record.repeated,
        "history": [
            {
                **_statement(change),
                "key": change.key,
                "entry": change.entry,
                "action": change.action,
                "replaces": change.replaces,
                "device_time": None if change.device_time_us is None else write_moment(change.device_time_us),
                "gateway_time": write_moment(change.gateway_time_us),
                "state": state,
            }
            for change, state in _states(found)
        ],
        "moved_observations": [_moved(one) for one in found.moves],
    }


def _moved(moved: MovedInterval) -> dict[str, Any]:
    return {
        "moved_at": write_moment(moved.moved_at_us),
        "moved_by": moved.moved_by,
        "device_id": moved.device_id,
        "from": write_moment(moved.from_us),
        "until": write_moment(moved.until_us),
        "from_encounter_id": moved.from_encounter_id,
        "to_encounter_id": moved.to_encounter_id,
        "assignment_id": moved.assignment_id,
    }


def _statement(change: FieldChange) -> dict[str, Any]:
    return {
        "change": change.id,
        "value": change.value,
        "negative": change.negative,
        "not_recorded": change.not_recorded,
        "author": change.author,
    }


def _field_row(field: Field, record: CareRecord) -> dict[str, Any]:
    return {
        "element": _title(field.name.key),
        "entry": field.name.entry,
        "content": "; ".join(map(_content, field.shown)),
        "contradiction": "; ".join(f"{_content(change)} ({change.author})" for change in field.contradicting),
        "void": None if record.declared_void(field.name) is None else True,
    }


def _history_row(change: FieldChange, state: str) -> dict[str, Any]:
    return {
        "time": write_moment(change.gateway_time_us),
        "author": change.author,
        "element": _title(change.key),
        "entry": change.entry,
        "action": change.action,
        "content": _content(change),
        "state": state,
        "change": change.id,
    }


def _title(key: str) -> str:
    """Return the titles of group and element, or the key where the catalogue does not know it."""
    element = find_element(key)
    group = find_group(key if element is None else element.group)
    if group is None:
        return key
    return group.english if element is None else f"{group.english}: {element.english}"


def _content(change: FieldChange) -> str:
    return _joined(change.value, change.negative, change.not_recorded)


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part is not None)
