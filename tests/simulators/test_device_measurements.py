"""Each kind of simulated device with the real manager: the manager gets exactly the device's measurements.

Compared are name, unit, value, person and time.
"""

from functools import cache

import pytest

from protocols.ieee11073.association.manager_events import MdsRead, ReportReceived
from protocols.ieee11073.nomenclature import Code, name_of
from protocols.observation import Observation
from simulators.agents.device import Measured
from simulators.agents.device_clock import DeviceClock
from simulators.agents.kinds import KINDS, build_device
from simulators.agents.own_clock import ClockBehaviour, OwnClock
from simulators.agents.report import Report
from simulators.physiology.ecg import LEADS
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.ieee11073_pair import association_pair

MILLIVOLT, BPM, PERCENT, MMHG, NONE = "MILLI_VOLT", "BEAT_PER_MIN", "PERCENT", "MMHG", None
DECLARED: dict[str, dict[int, tuple[str, str | None]]] = {
    # kind: handle → name and unit, without MDC_ and MDC_DIM_
    "oximeter": {1: ("PULS_OXIM_SAT_O2", PERCENT), 10: ("PULS_OXIM_PULS_RATE", BPM)},
    "spot-oximeter": {1: ("PULS_OXIM_SAT_O2", PERCENT), 10: ("PULS_OXIM_PULS_RATE", BPM)},
    "blood-pressure": {1: ("PRESS_BLD_NONINV", MMHG), 2: ("PULS_RATE_NON_INV", BPM)},
    "thermometer": {1: ("TEMP_BODY", "DEGC")},
    "scale": {1: ("MASS_BODY_ACTUAL", "KILO_G")},
    "household-scale": {1: ("MASS_BODY_ACTUAL", "KILO_G")},
    "body-scale": {
        1: ("MASS_BODY_ACTUAL", "KILO_G"),
        2: ("LEN_BODY_ACTUAL", "CENTI_M"),
        3: ("RATIO_MASS_BODY_LEN_SQ", "KG_PER_M_SQ"),
    },
    "glucose": {1: ("CONC_GLU_CAPILLARY_WHOLEBLOOD", "MILLI_G_PER_DL")},
    "glucose-diary": {
        1: ("CONC_GLU_CAPILLARY_WHOLEBLOOD", "MILLI_MOLE_PER_L"),
        2: ("CTXT_GLU_MEAL", NONE),
        3: ("CTXT_GLU_EXERCISE", PERCENT),
    },
    "ecg": {
        1: ("ECG_ELEC_POTL_I", MILLIVOLT),
        2: ("ECG_ELEC_POTL_II", MILLIVOLT),
        3: ("ECG_ELEC_POTL_III", MILLIVOLT),
        10: ("ECG_HEART_RATE", BPM),
    },
    "scanned-ecg": {1: ("ECG_ELEC_POTL_I", MILLIVOLT), 2: ("ECG_HEART_RATE", BPM)},
    "slow-ecg": {1: ("ECG_ELEC_POTL_I", MILLIVOLT)},
    "etco2": {
        1: ("AWAY_CO2", MMHG),
        10: ("AWAY_CO2_ET", MMHG),
        11: ("AWAY_CO2_INSP", MMHG),
        12: ("CO2_RESP_RATE", "RESP_PER_MIN"),
    },
    "defibrillator": {
        1: ("ECG_ELEC_POTL_II", MILLIVOLT),
        10: ("ECG_HEART_RATE", BPM),
        11: ("X_PRIVATE_09", "X_OHM"),
        12: ("X_PRIVATE_08", NONE),
        20: ("X_PRIVATE_07", "X_JOULES"),
        21: ("X_PRIVATE_06", "X_JOULES"),
        22: ("X_PRIVATE_05", "DIMLESS"),
        30: ("X_PRIVATE_01", "PER_MIN"),
        31: ("X_PRIVATE_02", "MILLI_M"),
    },
    "monitor": {
        **{handle: (f"ECG_ELEC_POTL_{lead.upper()}", MILLIVOLT) for handle, lead in enumerate(LEADS, 1)},
        20: ("PULS_OXIM_PLETH", "DIMLESS"),
        21: ("AWAY_CO2", MMHG),
        22: ("IMPED_TTHOR", "X_OHM"),
        30: ("ECG_HEART_RATE", BPM),
        31: ("PULS_OXIM_SAT_O2", PERCENT),
        32: ("PULS_OXIM_PULS_RATE", BPM),
        33: ("PULS_OXIM_PERF_REL", PERCENT),
        34: ("AWAY_CO2_ET", MMHG),
        35: ("CO2_RESP_RATE", "RESP_PER_MIN"),
        36: ("TEMP_BODY", "DEGC"),
        40: ("PRESS_BLD_NONINV", MMHG),
        41: ("PULS_RATE_NON_INV", BPM),
    },
}
SCENARIOS = {"defibrillator": ("cardiac-arrest", 102.0)}
"""The scenario and its end for kinds that measure something only in trouble."""

Seen = tuple[int, int | None, str, str | None, object, str | None]


@cache
def measured_and_seen(kind: str) -> tuple[list[Seen], list[Seen]]:
    """Run a device with a manager; return the measurements of the device and the measurements that the manager
    received.

    Each measurement is (handle, person, name, unit, value, time).
    """
    scenario, until_s = SCENARIOS.get(kind, ("stable", 13.0))
    patient = Patient(5, scenario_of(scenario))
    device = build_device(kind, patient)
    clock = OwnClock(DeviceClock(1_772_000_000_000_000, 0.0), ClockBehaviour())
    pair = association_pair(
        device.configuration, mds_attributes=lambda: device.description.mds(device.configuration.config_id)
    ).associate()
    (identity,) = (event.identity for event in pair.manager_events if isinstance(event, MdsRead))
    assert identity.model == device.description.model
    measured: list[Measured] = []
    while device.due_s <= until_s:
        due_s = device.due_s
        patient.advance_to(due_s)
        for each in device.measure(due_s, clock.time_at):
            measured.append(each)
            report = Report.of(each, device.configuration, len(measured))
            pair.agent.report(report.scan, confirmed=each.confirmed, now_s=0.0)
            pair.exchange()
    expected = [
        (reading.handle, reading.person, *DECLARED[kind][reading.handle], reading.value, _text(reading.time))
        for each in measured
        for reading in each.readings
    ]
    observations = [
        one for event in pair.manager_events if isinstance(event, ReportReceived) for one in event.observations
    ]
    return expected, [_seen(one) for one in observations]


def _seen(one: Observation) -> Seen:
    value = one.value if one.samples is None else bytes(one.samples)
    unit = None if one.channel.unit is None else name_of(one.channel.unit).removeprefix("MDC_DIM_")
    name = name_of(one.channel.type).removeprefix("MDC_")
    return one.channel.handle, one.channel.person, name, unit, value, _text(one.device_time)


def _text(time: object) -> str | None:
    return None if time is None else str(time.text())  # type: ignore[attr-defined]  # a DeviceTime


@pytest.mark.parametrize("kind", list(KINDS))
def test_manager_decodes_exactly_the_values_that_the_device_measured(kind: str) -> None:
    expected, seen = measured_and_seen(kind)
    durations = [one for one in seen if one[2] == "ATTR_TIME_PD_MSMT_ACTIVE"]
    assert [one for one in seen if one not in durations] == expected
    assert {one[0] for one in expected} >= {handle for handle in DECLARED[kind] if handle not in (30, 31)}
    assert bool(durations) == (kind == "glucose-diary")


def test_household_scale_reports_each_person_with_a_separate_person_id() -> None:
    _, seen = measured_and_seen("household-scale")
    assert [one[1] for one in seen] == [1, 2]
    assert len({one[4] for one in seen}) == 2


def test_glucose_diary_reports_the_meal_as_a_code_and_the_exercise_with_its_duration() -> None:
    _, seen = measured_and_seen("glucose-diary")
    by_name = {one[2]: one[4] for one in seen}
    assert by_name["CTXT_GLU_MEAL"] == Code(128, 29260)
    assert by_name["ATTR_TIME_PD_MSMT_ACTIVE"] == by_name["CTXT_GLU_EXERCISE"] == 0.0


def test_defibrillator_reports_shock_energy_and_compressions() -> None:
    _, seen = measured_and_seen("defibrillator")
    told = {one[0]: one[4] for one in seen if one[0] in (20, 21, 22, 30, 31)}
    assert told == {20: 200.0, 21: 200.0, 22: 1.0, 30: 112.0, 31: 53.0}


@pytest.mark.parametrize(
    ("kind", "handle", "gain"), [("scanned-ecg", 1, 1000), ("slow-ecg", 1, 200), ("etco2", 1, 100)]
)
def test_waveform_slope_in_the_agreed_configuration_is_the_inverse_of_the_simulated_gain(
    kind: str, handle: int, gain: int
) -> None:
    device = build_device(kind, Patient(5, scenario_of("stable")))
    pair = association_pair(device.configuration).associate()
    (agreed,) = (event for event in pair.manager_events if type(event).__name__ == "ConfigurationAgreed")
    array = next(each.array for each in agreed.channels if each.handle == handle)
    assert array is not None
    assert array.slope == 1 / gain
