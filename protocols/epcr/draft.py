"""Rules of a report draft in the vehicle: its beginning, what may follow a seal, and what sign-off demands.

A draft is the log of one encounter. It begins with its first changes, and needs no dispatch data: `opening` states the
vehicle, the software and whatever is known of the mission. It never ends by itself. A seal (`protocols.epcr.seal`)
closes it for everything except addenda.

Conflicts follow from `replaces`, the ids of the statements that an author saw: a statement that another author had not
seen contradicts it (`protocols.epcr.record`). So the order in which the gateway stored the changes decides which one is
shown, and no clock decides anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from protocols.epcr.annotations import ANNOTATIONS, Annotation
from protocols.epcr.catalogue import find_element
from protocols.epcr.change import FieldChange
from protocols.epcr.check import Fault
from protocols.epcr.record import CareRecord, Field, FieldName

SEALED = "sealed"
"""Code of the fault of a request to a sealed draft."""
SAME_DOSE_US = 120_000_000
"""Two entries of one drug and dose within two minutes, from two authors, may be one dose that both entered."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field with statements of several authors that differ, latest first."""

    name: FieldName
    statements: tuple[FieldChange, ...]


def opening(
    ids: Iterable[str],
    *,
    encounter: str,
    author: str,
    gateway_time_us: int,
    mission: Mapping[str, str],
) -> list[FieldChange]:
    """Return the first changes of a draft. `mission` has the values that are known when it is opened (vehicle,
    software, dispatch data) by element; a value that its element does not permit is left out."""
    changes = []
    for (key, value), change_id in zip(mission.items(), ids, strict=False):
        element = find_element(key)
        if element is None or not element.values.permits(value):
            continue
        changes.append(
            FieldChange(
                id=change_id,
                encounter=encounter,
                key=key,
                author=author,
                gateway_time_us=gateway_time_us,
                value=value,
            )
        )
    return changes


def is_sealed(changes: Iterable[FieldChange]) -> bool:
    """Return whether a log has a seal."""
    return any(change.key == Annotation.SEAL for change in changes)


def addendum_reasons(changes: Iterable[FieldChange]) -> tuple[str, ...]:
    """Return why something about the patient was added to a log after its first seal, each reason once. A share link or
    another annotation after the seal adds nothing about the patient."""
    reasons: dict[str, str] = {}
    found: dict[str, None] = {}
    sealed = False
    for change in changes:
        if change.key == Annotation.SEAL:
            sealed = True
        elif change.key == Annotation.ADDENDUM:
            reasons[change.author] = change.value or ""
        elif sealed and change.key not in ANNOTATIONS:
            found[reasons.get(change.author, "")] = None
    return tuple(filter(None, found))


def fault_after_seal(changes: Sequence[FieldChange]) -> Fault | None:
    """Return why a request to a sealed draft is refused, or None for an addendum: its first change gives the reason,
    and all others of the request belong to it."""
    if changes[0].key == Annotation.ADDENDUM and len(changes) > 1:
        return None
    return Fault(
        SEALED,
        "This report is signed. Add an addendum: the first change of the request is record.addendum with the reason, "
        "and its further changes are the addendum.",
    )


def open_conflicts(record: CareRecord) -> list[Conflict]:
    """Return the contradicting fields that no author has decided: neither by a choice, nor by «both stand» for exactly
    the statements that contradict each other now."""
    decided = {
        frozenset((statement.value or "").split(" "))
        for field in record.fields
        if field.name.key == Annotation.BOTH_STAND
        for statement in field.shown
    }
    found = []
    for field in record.fields:
        if not field.contradicting or record.declared_void(field.name) is not None:
            continue
        if field.name.key in ANNOTATIONS:
            continue  # a dismissal that two authors decided differently is no statement about the patient
        statements = _latest_first(field)
        if frozenset(each.id for each in statements) not in decided:
            found.append(Conflict(field.name, statements))
    return found


def _latest_first(field: Field) -> tuple[FieldChange, ...]:
    """Return the statements of a field that differ; those that are shown come first."""
    found = dict.fromkeys((*reversed(field.shown), *reversed(field.contradicting)))
    return tuple(found)
