"""A device is assigned to an encounter for an interval (DESIGN D16).

Intervals of one device never overlap, and a new assignment changes no stored value.
"""

import asyncio
from dataclasses import dataclass

import pytest

from cloud.access.audit import Audit
from cloud.access.retention import Retention
from cloud.clinical.assignments import (
    AssignmentEnded,
    AssignmentOverlaps,
    Assignments,
    AssignmentService,
    AssignmentUnknown,
    EncounterHeld,
    IntervalEmpty,
    IntervalOutside,
    find_moves,
)
from cloud.clinical.devices import Devices, DeviceUnknown, Enrolment
from cloud.clinical.epcr import CareModel, CareRecords, Dispatch, EncounterUnknown, Epcr, MovedInterval
from cloud.clinical.incidents import Incidents
from cloud.foundation.db import Database
from cloud.foundation.events import Outbox
from cloud.foundation.ids import UlidIds
from cloud.foundation.retention import HoldScope
from protocols.uplink.observations import DeviceRef
from tests.builders.cloud_people import MINUTE_US, NOON_US, HandClock, Household, attach_device, household

CLOCK = HandClock()
IDS = UlidIds(CLOCK)
DEVICES = Devices(IDS)
ASSIGNMENTS = Assignments(DEVICES)


@dataclass
class Ward:
    """A tenant with one enrolled device, and the service that assigns the device to encounters."""

    database: Database
    home: Household
    desk: AssignmentService
    device_id: str

    async def whose(self, minute: int, *, home: Household | None = None) -> str | None:
        async with self.database.read() as tx:
            viewer = (home or self.home).viewer
            return (await ASSIGNMENTS.timeline(tx, viewer, self.device_id)).encounter_at(NOON_US + minute * MINUTE_US)


async def ward(database: Database) -> Ward:
    home = await household(database, CLOCK)
    async with database.transaction() as tx:
        device_id = await attach_device(tx, DEVICES, home.gateway, DeviceRef(system_id="aa", model=""), NOON_US)
    return Ward(database, home, AssignmentService(database, CLOCK, IDS), device_id)


def at(minute: int) -> int:
    return NOON_US + minute * MINUTE_US


async def test_device_assignment_includes_its_start_time_and_excludes_its_end_time(database: Database) -> None:
    here = await ward(database)
    await here.desk.assign(
        here.home.user("operator"),
        device_id=here.device_id,
        encounter_id="enc_north",
        from_us=at(0),
        until_us=at(5),
    )
    assert [await here.whose(minute) for minute in (-1, 0, 4, 5)] == [None, "enc_north", "enc_north", None]


async def test_device_assignment_without_an_end_time_applies_until_it_is_closed(database: Database) -> None:
    here = await ward(database)
    opened = await here.desk.assign(
        here.home.user("operator"), device_id=here.device_id, encounter_id="enc_north", from_us=at(0)
    )
    assert await here.whose(1000) == "enc_north"
    await here.desk.close(here.home.user("usr_1"), opened.id, at_us=at(10))
    assert [await here.whose(9), await here.whose(10)] == ["enc_north", None]
    with pytest.raises(AssignmentEnded):
        await here.desk.close(here.home.user("usr_1"), opened.id, at_us=at(20))


@pytest.mark.parametrize(("begin", "end"), [(0, 10), (-5, 1), (9, 20), (2, 3), (-5, 20), (9, None), (-5, None)])
async def test_assignment_that_overlaps_another_assignment_of_the_same_device_is_refused(
    database: Database, begin: int, end: int | None
) -> None:
    here = await ward(database)
    viewer, device_id = here.home.viewer, here.device_id
    await here.desk.assign(viewer, device_id=device_id, encounter_id="enc_north", from_us=at(0), until_us=at(10))
    with pytest.raises(AssignmentOverlaps):
        await here.desk.assign(
            viewer,
            device_id=device_id,
            encounter_id="enc_north",
            from_us=at(begin),
            until_us=None if end is None else at(end),
        )
    await here.desk.assign(viewer, device_id=device_id, encounter_id="enc_north", from_us=at(10))


async def test_only_one_of_ten_concurrent_overlapping_assignments_succeeds(database: Database) -> None:
    here = await ward(database)

    async def assign(number: int) -> str:
        # The intervals differ in length, so the index on open intervals alone would not refuse them.
        made = await here.desk.assign(
            here.home.user(f"usr_{number}"),
            device_id=here.device_id,
            encounter_id="enc_north",
            from_us=at(0),
            until_us=at(10 + number),
        )
        return made.id

    done = await asyncio.gather(*(assign(number) for number in range(10)), return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in done) == 1
    assert sum(isinstance(outcome, AssignmentOverlaps) for outcome in done) == 9


async def test_assignment_moved_to_another_encounter_is_voided_and_replaced_by_a_new_assignment(
    database: Database,
) -> None:
    here = await ward(database)
    second = await Epcr(database, CLOCK, IDS).begin(here.home.viewer, organization_id=here.home.organization.id)
    made = await here.desk.assign(
        here.home.user("usr_1"),
        device_id=here.device_id,
        encounter_id="enc_north",
        from_us=at(0),
        until_us=at(5),
    )
    moved = await here.desk.move(here.home.user("usr_2"), made.id, encounter_id=second.id)
    assert (moved.from_us, moved.until_us, moved.replaces) == (at(0), at(5), made.id)
    assert await here.whose(1) == second.id
    history = {one.id: one for one in await here.desk.list(here.home.viewer, device_id=here.device_id)}
    assert (history[made.id].encounter_id, history[made.id].voided_by) == ("enc_north", "usr_2")
    with pytest.raises(AssignmentEnded):
        await here.desk.move(here.home.user("usr_3"), made.id, encounter_id="enc_north")
    told = []
    outbox = Outbox(IDS)
    for _ in range(3):
        async with database.transaction() as tx:
            for claimed in await outbox.claim(tx, now_us=CLOCK.now_us(), lease_us=1, count=10):
                if claimed.event.key == here.device_id:
                    told.append(claimed.event)
                await outbox.done(tx, claimed, now_us=CLOCK.now_us())
    assert [event.type for event in told] == ["assignment.added", "assignment.moved"]
    assert told[1].payload["from_encounter_id"] == "enc_north"
    assert told[1].payload["to_encounter_id"] == second.id


async def second_encounter(here: Ward, *, cad_incident_id: str | None = None) -> str:
    dispatch = Dispatch(here.home.organization.id, CareModel.EVENT_MEDICAL, cad_incident_id=cad_incident_id)
    return (await Epcr(here.database, CLOCK, IDS).dispatch(here.home.viewer, dispatch)).encounter.id


async def assigned(here: Ward, begin: int, end: int | None) -> str:
    until_us = None if end is None else at(end)
    made = await here.desk.assign(
        here.home.viewer, device_id=here.device_id, encounter_id="enc_north", from_us=at(begin), until_us=until_us
    )
    return made.id


@pytest.mark.parametrize("end", [10, None])
@pytest.mark.parametrize(
    ("part", "moved"),
    [((2, 5), {2, 3, 4}), ((None, 5), {0, 1, 2, 3, 4}), ((5, None), {5, 6, 7, 8, 9}), ((None, None), set(range(10)))],
)
async def test_part_of_an_interval_is_moved_and_the_rest_stays(
    database: Database, part: tuple[int | None, int | None], moved: set[int], end: int | None
) -> None:
    here = await ward(database)
    other = await second_encounter(here)
    begin_us, end_us = (None if minute is None else at(minute) for minute in part)
    await here.desk.move(
        here.home.user("usr_2"),
        await assigned(here, 0, end),
        encounter_id=other,
        from_us=begin_us,
        until_us=end_us,
    )
    assert [await here.whose(minute) for minute in range(-1, 10)] == [
        None,
        *(other if minute in moved else "enc_north" for minute in range(10)),
    ]
    last = other if 9 in moved else "enc_north"
    assert await here.whose(10) == (None if end else last)
    await here.desk.assign(
        here.home.viewer, device_id=here.device_id, encounter_id="enc_north", from_us=at(-9), until_us=at(0)
    )


@pytest.mark.parametrize(("begin", "end"), [(-1, 5), (5, 11), (5, 5), (5, 4), (10, None), (12, 13)])
async def test_interval_outside_of_the_assignment_is_not_moved(database: Database, begin: int, end: int | None) -> None:
    here = await ward(database)
    other, made = await second_encounter(here), await assigned(here, 0, 10)
    with pytest.raises(IntervalOutside):
        await here.desk.move(
            here.home.viewer,
            made,
            encounter_id=other,
            from_us=at(begin),
            until_us=None if end is None else at(end),
        )
    assert await here.whose(5) == "enc_north"


@pytest.mark.parametrize("held", ["from", "to", "incident"])
async def test_observations_of_a_held_encounter_are_not_moved(database: Database, held: str) -> None:
    here = await ward(database)
    other, made = await second_encounter(here, cad_incident_id="cad_1"), await assigned(here, 0, 10)
    retention, operator = Retention(database, CLOCK, IDS), here.home.operator
    (incident,) = await Incidents(CLOCK, IDS).list(database, operator, count=10)
    scope, object_id = {
        "from": (HoldScope.ENCOUNTER, "enc_north"),
        "to": (HoldScope.ENCOUNTER, other),
        "incident": (HoldScope.INCIDENT, incident.id),
    }[held]
    placed = await retention.hold(operator, scope, object_id, "case 1")
    with pytest.raises(EncounterHeld):
        await here.desk.move(operator, made, encounter_id=other)
    assert await here.whose(5) == "enc_north"
    await retention.release(operator, placed.id)
    await here.desk.move(operator, made, encounter_id=other)
    assert await here.whose(5) == other


async def test_moved_interval_is_in_the_history_of_both_records_and_audited(database: Database) -> None:
    here = await ward(database)
    other, made = await second_encounter(here), await assigned(here, 0, 10)
    moved = await here.desk.move(here.home.user("usr_2"), made, encounter_id=other, from_us=at(2), until_us=at(5))
    expected = MovedInterval(
        assignment_id=moved.id,
        device_id=here.device_id,
        from_us=at(2),
        until_us=at(5),
        from_encounter_id="enc_north",
        to_encounter_id=other,
        moved_by="usr_2",
        moved_at_us=CLOCK.now_us(),
    )
    records = CareRecords(database, CLOCK, find_moves)
    for encounter in ("enc_north", other):
        assert (await records.read(here.home.operator, encounter)).moves == [expected]
    async with database.read() as tx:
        (entry,) = await Audit(CLOCK).list(tx, here.home.operator, action="assignment.move")
    assert (entry.actor, entry.object) == ("usr_2", moved.id)
    assert entry.metadata == {
        "from_encounter_id": "enc_north",
        "to_encounter_id": other,
        "replaces": made,
        "until_us": at(5),
    }


async def test_assignment_of_an_unenrolled_device_applies_to_the_enrolled_device_after_a_merge(
    database: Database,
) -> None:
    here = await ward(database)
    home = here.home
    await here.desk.assign(home.user("a"), device_id=here.device_id, encounter_id="enc_north", from_us=at(0))
    desk = Enrolment(database, CLOCK, IDS)
    serial = {"serial_number": "SN-1", "device_class": "oximeter", "manufacturer": "Synthetic Medical"}
    enrolled = await desk.enrol(home.viewer, organization_id=home.organization.id, **serial)
    await desk.enrol(home.viewer, organization_id=home.organization.id, **serial, system_id="aa")
    async with database.read() as tx:
        assert (await ASSIGNMENTS.timeline(tx, home.viewer, enrolled.device.id)).encounter_at(at(1)) == "enc_north"
    with pytest.raises(AssignmentOverlaps):
        await here.desk.assign(home.user("a"), device_id=enrolled.device.id, encounter_id="enc_north", from_us=at(3))


async def test_devices_encounters_and_assignments_of_another_tenant_are_not_found(database: Database) -> None:
    here = await ward(database)
    south = await household(database, CLOCK, name="south")
    made = await here.desk.assign(
        here.home.user("a"), device_id=here.device_id, encounter_id="enc_north", from_us=at(0)
    )
    with pytest.raises(DeviceUnknown):
        await here.desk.assign(south.user("b"), device_id=here.device_id, encounter_id="enc_south")
    with pytest.raises(EncounterUnknown):
        await here.desk.assign(
            here.home.user("b"),
            device_id=here.device_id,
            encounter_id="enc_south",
            from_us=at(-9),
            until_us=at(-8),
        )
    with pytest.raises(AssignmentUnknown):
        await here.desk.close(south.user("b"), made.id)
    assert await here.whose(1, home=south) is None
    assert await here.desk.list(south.viewer) == []


async def test_assignment_that_ends_at_its_start_time_is_refused(database: Database) -> None:
    here = await ward(database)
    with pytest.raises(IntervalEmpty):
        await here.desk.assign(
            here.home.user("a"),
            device_id=here.device_id,
            encounter_id="enc_north",
            from_us=at(5),
            until_us=at(5),
        )
