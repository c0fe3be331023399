"""Proposals from the devices of a call: sets of vital signs and events, with source, quality and corrected time."""

import json
from itertools import pairwise

import pytest

from protocols.device_time import DeviceTime, TimeKind
from protocols.epcr.annotations import Annotation
from protocols.epcr.call_measurements import DURING_COMPRESSIONS, SPOTS_MAX, CallMeasurements
from protocols.epcr.check import find_fault
from protocols.epcr.measured import readings_of
from protocols.epcr.proposal import Proposal, ProposalKind, accepted
from protocols.epcr.record import current_record
from protocols.observation import Special
from protocols.observation_record import ObservationRecord
from tests.builders.call_observations import BEGAN_US, cuff, heart_rate, measured, pulse, spo2
from tests.builders.care_changes import ANNA, ENCOUNTER, JAN, NOW_US


def proposals(*records: ObservationRecord) -> list[Proposal]:
    call = CallMeasurements()
    call.add(records)
    return call.proposals()


def values(proposal: Proposal) -> dict[str, str]:
    return {each.key.removeprefix("vitals."): each.value for each in proposal.values if each.key != "vitals.time"}


def value_of(record: ObservationRecord) -> list[str]:
    return [each.value for each in readings_of(record)]


def test_blood_pressure_gives_a_set_with_the_values_closest_to_it():
    (one,) = proposals(spo2(95, at_s=20), spo2(97, at_s=58), heart_rate(88, at_s=61), cuff(121, 79, 93, at_s=60))
    assert one.kind is ProposalKind.VITALS
    assert one.at_us == BEGAN_US + 60_000_000
    assert values(one) == {
        "systolic": "121", "diastolic": "79", "mean_pressure": "93", "pressure_method": "3308005",
        "spo2": "97", "heart_rate": "88", "heart_rate_method": "3311005",
    }  # fmt: skip


def test_heart_rate_of_the_ecg_is_preferred_to_a_pulse_and_named_by_its_method():
    (both,) = proposals(pulse(80, at_s=1), heart_rate(82, at_s=2))
    assert values(both) == {"heart_rate": "82", "heart_rate_method": "3311005"}
    (alone,) = proposals(pulse(80, at_s=1))
    assert values(alone) == {"heart_rate": "80", "heart_rate_method": "3311007"}


def test_continuous_values_without_a_blood_pressure_give_a_set_every_five_minutes():
    found = proposals(*(spo2(97, at_s=second) for second in range(0, 1500, 5)))
    intervals_s = [(later.at_us - earlier.at_us) / 1e6 for earlier, later in pairwise(found)]
    assert found[0].at_us == BEGAN_US
    assert len(found) == 6
    assert all(285 <= interval_s <= 315 for interval_s in intervals_s)


def test_temperature_is_in_the_set_with_its_site():
    ear = measured("MDC_TEMP_TYMP", 97.7, "MDC_DIM_FAHR", at_s=100)
    (one,) = proposals(cuff(121, 79, 93, at_s=60), ear)
    assert (values(one)["temperature"], values(one)["temperature_site"]) == ("36.5", "3325013")


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (measured("MDC_AWAY_CO2_ET", 5.0, "MDC_DIM_KILO_PASCAL", at_s=1), ["38"]),
        (measured("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", 5.0, "MDC_DIM_MILLI_MOLE_PER_L", at_s=1), ["90"]),
        (measured("MDC_AWAY_CO2_ET", 38.0, "MDC_DIM_PERCENT", at_s=1), []),
        (spo2(143, at_s=1), []),
        (measured("MDC_PULS_OXIM_SAT_O2", Special.NAN, "MDC_DIM_PERCENT", at_s=1), []),
        (cuff(121, 79, 93, at_s=1), ["121", "79", "93"]),
    ],
)
def test_value_is_converted_only_from_a_known_unit_and_into_a_permitted_value(record: ObservationRecord, value):
    assert value_of(record) == value


@pytest.mark.parametrize("status", [0x8000, 0x2000, 0x0400, 0x0020])
def test_value_that_the_device_marks_as_no_measurement_is_not_proposed(status: int):
    assert proposals(spo2(97, at_s=1, status=status)) == []


def test_unmarked_value_is_preferred_and_a_mark_is_kept():
    (one,) = proposals(spo2(80, at_s=1, status=0x4000), spo2(97, at_s=2))
    assert values(one) == {"spo2": "97"}
    (marked,) = proposals(spo2(80, at_s=1, status=0x4000))
    (source,) = [json.loads(each.value or "") for each in accept(marked) if each.key == Annotation.SOURCE][1:]
    assert source["status"] == ["questionable"]


def test_shock_is_proposed_once_with_its_energy_and_procedure():
    shocks = [measured("X_PRIVATE_05", float(count), at_s=second) for second, count in enumerate((0, 0, 1, 1, 1))]
    energy = measured("X_PRIVATE_06", 200.0, "MDC_DIM_X_JOULES", at_s=2, sequence=90)
    (one,) = proposals(*shocks, energy)
    found = {each.key: each.value for each in one.values}
    assert found["devices.event"] == "4103009"
    assert found["devices.shock_energy"] == "200"
    assert found["procedures.procedure"] == "426220008"
    assert found["procedures.time"] == found["devices.time"] == "2026-05-05T23:33:22.000000Z"


def test_pads_and_compressions_are_proposed_when_they_begin():
    pads = [measured("X_PRIVATE_08", bits, at_s=second) for second, bits in enumerate((0, 0x8000, 0x8000))]
    rates = [measured("X_PRIVATE_01", 110.0, "MDC_DIM_PER_MIN", at_s=second) for second in (10, 12, 14, 60)]
    found = proposals(*pads, *rates)
    assert [(each.kind, (each.at_us - BEGAN_US) // 1_000_000) for each in found] == [
        (ProposalKind.PADS, 1),
        (ProposalKind.COMPRESSIONS, 10),
        (ProposalKind.COMPRESSIONS, 60),
    ]


def test_pacing_is_proposed_with_its_rate_when_it_begins():
    rates = [measured("X_PRIVATE_10", rate, "MDC_DIM_PER_MIN", at_s=at) for at, rate in enumerate((0.0, 70.0, 70.0))]
    (one,) = proposals(*rates)
    found = {each.key: each.value for each in one.values}
    assert (one.kind, found["devices.event"], found["devices.pacing_rate"]) == (ProposalKind.PACING, "4103027", "70")
    assert (found["procedures.procedure"], found["procedures.time"]) == ("18590009", found["devices.time"])


def test_alarm_is_proposed_once_while_it_continues_in_the_words_of_the_device():
    alarms = [spo2(82, at_s=at, status=0x0002) for at in (10, 12, 14)]
    found = [each for each in proposals(*alarms, spo2(97, at_s=16)) if each.kind is ProposalKind.ALARM]
    assert [(each.at_us - BEGAN_US) // 1_000_000 for each in found] == [10]
    assert [each.value for each in found[0].values if each.key == "devices.interpretation"] == ["Alarm: SpO₂ 82 %"]
    assert [find_fault(each) for each in accept(found[0]) if each.key != Annotation.SOURCE] == [None] * 3


def test_continuous_value_during_compressions_is_flagged_as_a_possible_artefact():
    compressions = measured("X_PRIVATE_01", 110.0, "MDC_DIM_PER_MIN", at_s=2)
    found = next(each for each in proposals(compressions, spo2(97, at_s=3)) if each.kind is ProposalKind.VITALS)
    assert [each.flags for each in found.values if each.key == "vitals.spo2"] == [(DURING_COMPRESSIONS,)]


def accept(proposal: Proposal, author: str = ANNA):
    return accepted(proposal, encounter=ENCOUNTER, author=author, gateway_time_us=NOW_US, device_time_us=None)


def test_check_14_accepted_value_keeps_its_source_with_device_times_and_uncertainty():
    time = DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("2026050601330100"))
    (one,) = proposals(measured("MDC_TEMP_ORAL", 36.64, "MDC_DIM_DEGC", at_s=1, device_time=time), spo2(97, at_s=2))
    changes = accept(one)
    stated = {each.id: each for each in changes if each.key != Annotation.SOURCE}
    assert [find_fault(each) for each in stated.values()] == [None] * len(stated)
    sources = {stated[each.entry or ""].key: json.loads(each.value or "") for each in changes if each.id not in stated}
    temperature = sources["vitals.temperature"]
    assert temperature["device"] == "11223344556677aa"
    assert temperature["value"] == 36.64
    assert temperature["device_time"] == time.text()
    assert temperature["observed_at"] == "2026-05-05T23:33:21.000000Z"
    assert temperature["uncertainty_ms"] == 40
    assert temperature["origin"] == "gw-test/epoch-1/numeric/2/0"


def test_two_tablets_that_accept_one_proposal_write_one_entry_without_a_conflict():
    (one,) = proposals(cuff(121, 79, 93, at_s=60), spo2(97, at_s=60))
    record = current_record([*accept(one), *accept(one, JAN), *accept(one)])
    assert {each.name.entry for each in record.fields if each.name.key.startswith("vitals.")} == {one.id}
    assert [each.contradicting for each in record.fields] == [()] * len(record.fields)


def test_reduced_measurements_have_a_limit():
    found = proposals(*(cuff(121, 79, 93, at_s=200 * number) for number in range(SPOTS_MAX + 10)))
    assert len(found) == SPOTS_MAX
    assert found[0].at_us == BEGAN_US + 2_000 * 1_000_000
