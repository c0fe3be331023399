"""Mission in a care record: the changes by which a mission of the dispatch system enters the log of its encounter.

Their author is `DISPATCH_AUTHOR`, so that everyone sees where a value comes from. A statement of the dispatch system
stands behind those of people (`protocols.epcr.record`): what a crew member entered stays what is shown, and where both
differ, the field has two statements until a person chooses. Each version leaves an annotation in the log. So the log
itself names the version that the vehicle has, also after a power cut, and the cloud gets it with the log.

A crew may have opened a report before the mission arrived. Joining both adds an annotation to each log and copies the
mission's values into the crew's report. No log is rewritten, and both encounters keep their ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from protocols.epcr.annotations import Annotation
from protocols.epcr.catalogue import find_element
from protocols.epcr.change import DISPATCH_AUTHOR, FieldChange
from protocols.epcr.record import CareRecord
from protocols.uplink.missions import Mission, MissionStatus

MISSION_KEYS = frozenset(
    (
        "call.incident_number",
        "call.response_number",
        "call.reason",
        "call.priority",
        "call.cad_record",
        "scene.position",
        "scene.street",
        "scene.apartment",
        "scene.city",
        "scene.postcode",
        "scene.crossing",
        "times.call_received",
        "times.dispatch_notified",
        "times.unit_notified",
    )
)
"""Elements that a dispatch system may state: the call, its place, and the times before the vehicle moved."""


@dataclass(frozen=True, slots=True)
class StoredMission:
    """The newest version of a mission in a log, and the gateway's time at which it was stored."""

    version: int
    status: MissionStatus
    received_at_us: int


def stored_mission(record: CareRecord) -> StoredMission | None:
    """Return the newest version of the mission in a record; None without a mission."""
    change = _shown(record, Annotation.MISSION)
    if change is None:
        return None
    version, _, status = (change.value or "").partition(" ")
    try:
        return StoredMission(int(version), MissionStatus(status), change.gateway_time_us)
    except ValueError:
        return None  # of a newer release


def joined_report(record: CareRecord) -> str | None:
    """Return the encounter of the crew's report that a mission was joined to; None if it was not."""
    change = _shown(record, Annotation.JOINED)
    return None if change is None else change.value


def joined_mission(record: CareRecord) -> str | None:
    """Return the encounter of the mission that a crew's report was joined to; None if it was not."""
    change = _shown(record, Annotation.PART_OF)
    return None if change is None else change.value


def mission_changes(mission: Mission, log: Sequence[FieldChange], *, gateway_time_us: int) -> list[FieldChange]:
    """Return the changes that enter a version of a mission in the log of its encounter. A value that its element does
    not permit is left out, and one that the dispatch system stated last: a crew member may have corrected it since."""
    changes = copied_changes(mission, log, encounter=mission.encounter, gateway_time_us=gateway_time_us)
    changes.append(
        FieldChange(
            id=_id(mission.encounter, mission.version, Annotation.MISSION),
            encounter=mission.encounter,
            key=Annotation.MISSION,
            author=DISPATCH_AUTHOR,
            gateway_time_us=gateway_time_us,
            value=f"{mission.version} {mission.status.value}",
        )
    )
    return changes


def copied_changes(
    mission: Mission, log: Sequence[FieldChange], *, encounter: str, gateway_time_us: int
) -> list[FieldChange]:
    """Return the changes that copy the values of a version of a mission to the log of `encounter`."""
    values = {key: value for key, value in mission.values.items() if _is_permitted(key, value)}
    return list(_stated(values, log, encounter=encounter, version=mission.version, gateway_time_us=gateway_time_us))


def joining_changes(
    *,
    mission: str,
    report: str,
    of_mission: Sequence[FieldChange],
    of_report: Sequence[FieldChange],
    author: str,
    gateway_time_us: int,
) -> tuple[list[FieldChange], list[FieldChange]]:
    """Return the changes of the report's log and those of the mission's log that join them. `mission` and `report` are
    their encounters, `of_mission` and `of_report` their logs, and `author` is the crew member who decides. Store those
    of the report first: the mission's log then names a report that is complete."""
    copied = _stated(dispatched(of_mission), of_report, encounter=report, version=0, gateway_time_us=gateway_time_us)
    part_of = _annotation(Annotation.PART_OF, report, mission, author, gateway_time_us)
    return [*copied, part_of], [_annotation(Annotation.JOINED, mission, report, author, gateway_time_us)]


def dispatched(log: Sequence[FieldChange]) -> dict[str, str]:
    """Return what the dispatch system stated last about each element."""
    return {
        each.key: each.value
        for each in log
        if each.author == DISPATCH_AUTHOR and each.key in MISSION_KEYS and each.value is not None
    }


def _stated(
    values: Mapping[str, str], log: Sequence[FieldChange], *, encounter: str, version: int, gateway_time_us: int
) -> Iterator[FieldChange]:
    before = dispatched(log)
    for key, value in sorted(values.items()):
        if before.get(key) != value:
            yield FieldChange(
                id=_id(encounter, version, key),
                encounter=encounter,
                key=key,
                author=DISPATCH_AUTHOR,
                gateway_time_us=gateway_time_us,
                value=value,
            )


def _annotation(key: Annotation, encounter: str, other: str, author: str, gateway_time_us: int) -> FieldChange:
    return FieldChange(
        id=_id(encounter, 0, f"{key} {other}"),
        encounter=encounter,
        key=key,
        author=author,
        gateway_time_us=gateway_time_us,
        value=other,
    )


def _shown(record: CareRecord, key: Annotation) -> FieldChange | None:
    return next((each.shown[-1] for each in record.fields if each.name.key == key), None)


def _is_permitted(key: str, value: str) -> bool:
    element = find_element(key)
    return key in MISSION_KEYS and element is not None and element.values.permits(value)


def _id(encounter: str, version: int, key: str) -> str:
    """Return the id of a change of this module: the same for a repeated message."""
    return f"cad-{sha256(f'{encounter} {version} {key}'.encode()).hexdigest()[:40]}"
