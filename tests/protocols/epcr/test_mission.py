"""A mission in a care record: its values are those of the dispatch system, and never hide what a person entered."""

from protocols.epcr.annotations import Annotation
from protocols.epcr.change import DISPATCH_AUTHOR, FieldChange
from protocols.epcr.draft import open_conflicts
from protocols.epcr.mission import (
    dispatched,
    joined_mission,
    joined_report,
    joining_changes,
    mission_changes,
    stored_mission,
)
from protocols.epcr.record import current_record
from protocols.uplink.missions import Mission, MissionStatus
from tests.builders.care_changes import ANNA, NOW_US, change
from tests.builders.missions import CALL, STREET, changed


def entered(mission: Mission, log: list[FieldChange]) -> list[FieldChange]:
    """Return a log with a mission behind it."""
    return [*log, *mission_changes(mission, log, gateway_time_us=NOW_US)]


def shown(log: list[FieldChange], key: str) -> list[tuple[str | None, str]]:
    return [
        (one.value, one.author) for each in current_record(log).fields if each.name.key == key for one in each.shown
    ]


def typed(value: str, *, replaces: tuple[str, ...] = ()) -> FieldChange:
    return change("scene.street", value, encounter=CALL.encounter, replaces=replaces)


def test_mission_enters_its_values_and_its_version():
    log = entered(CALL, [])
    assert shown(log, "scene.street") == [(STREET, DISPATCH_AUTHOR)]
    stored = stored_mission(current_record(log))
    assert stored is not None
    assert (stored.version, stored.status) == (1, MissionStatus.IN_PROGRESS)


def test_values_that_no_mission_may_state_or_their_element_does_not_permit_are_left_out():
    mission = changed(1, {"patient.last_name": "Nowak", "call.reason": "heart", "call.priority": "2305001"})
    assert {each.key for each in entered(mission, [])} == {
        "call.incident_number",
        "call.priority",
        "scene.street",
        Annotation.MISSION,
    }


def test_statement_of_a_person_stays_shown_and_contradicts_the_mission():
    log = entered(CALL, [typed("Feldweg 1")])
    assert shown(log, "scene.street") == [("Feldweg 1", ANNA)]
    (conflict,) = open_conflicts(current_record(log))
    assert {each.value for each in conflict.statements} == {"Feldweg 1", STREET}


def test_further_version_adds_only_what_changed():
    log = entered(CALL, [])
    further = mission_changes(changed(2, {"scene.street": "Ring 3"}), log, gateway_time_us=NOW_US)
    assert [each.key for each in further] == ["scene.street", Annotation.MISSION]
    assert shown([*log, *further], "scene.street") == [("Ring 3", DISPATCH_AUTHOR)]


def test_correction_by_a_person_is_not_stated_again_by_the_same_value():
    log = entered(CALL, [])
    street = next(each for each in log if each.key == "scene.street")
    log = entered(changed(2), [*log, typed("Marktgasse 21", replaces=(street.id,))])
    assert shown(log, "scene.street") == [("Marktgasse 21", ANNA)]
    assert open_conflicts(current_record(log)) == []


def test_repeated_message_has_the_same_change_ids():
    assert [each.id for each in entered(CALL, [])] == [each.id for each in entered(CALL, [])]


def test_joined_logs_name_each_other_and_the_report_has_the_values_of_the_mission():
    mission_log = entered(CALL, [])
    report = [change("patient.age", "50", encounter="enc_report")]
    of_report, of_mission = joining_changes(
        mission=CALL.encounter,
        report="enc_report",
        of_mission=mission_log,
        of_report=report,
        author=ANNA,
        gateway_time_us=NOW_US,
    )
    assert {each.encounter for each in of_report} == {"enc_report"}
    assert joined_mission(current_record([*report, *of_report])) == CALL.encounter
    assert joined_report(current_record([*mission_log, *of_mission])) == "enc_report"
    assert dispatched(of_report) == dispatched(mission_log)
    assert shown([*report, *of_report], "scene.street") == [(STREET, DISPATCH_AUTHOR)]
