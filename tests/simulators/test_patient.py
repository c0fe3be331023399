"""The simulated patient: equal seeds give equal patients, the vital signs depend on each other, and the simulation
needs little CPU time.
"""

import time
from copy import deepcopy
from itertools import pairwise

import pytest

from simulators.physiology.body import body_of
from simulators.physiology.condition import Rhythm
from simulators.physiology.ecg import LEADS
from simulators.physiology.patient import Patient, Vitals
from simulators.physiology.track import SamplesDropped
from simulators.scenarios import SCENARIOS, UnknownScenario, scenario_of


def patient(scenario: str = "stable", seed: int = 7, until_s: float = 0.0) -> Patient:
    made = Patient(seed, scenario_of(scenario))
    made.advance_to(until_s)
    return made


@pytest.fixture(scope="module")
def resting() -> Patient:
    """A stable patient after a minute, which tests read and do not advance."""
    return patient(until_s=60)


@pytest.fixture(scope="module")
def arrest() -> dict[int, Patient]:
    """One patient with a cardiac arrest, copied at six times in seconds."""
    patient_of_all_times = patient("cardiac-arrest")
    copies: dict[int, Patient] = {}
    for time_s in (28, 41, 110, 200, 300, 400):
        patient_of_all_times.advance_to(time_s)
        copies[time_s] = deepcopy(patient_of_all_times)
    return copies


def r_waves(beats: Patient, seconds: float) -> list[float]:
    """Return the times of the R waves in lead II during the last `seconds`, found by a fixed threshold."""
    track = beats.lead("II")
    count = int(seconds * track.rate_hz)
    samples = [raw / track.gain for raw in track.read(track.end - count, count)]
    rising = [n for n in range(1, count) if samples[n - 1] < 0.6 <= samples[n]]
    return [n / track.rate_hz for n in rising]


def test_same_seed_gives_the_same_simulated_patient_for_any_time_steps() -> None:
    coarse = patient("cardiac-arrest", seed=3, until_s=40)
    fine = patient("cardiac-arrest", seed=3)
    for step in range(1, 400):
        fine.advance_to(step * 0.1)
        fine.advance_to(step * 0.05)
    fine.advance_to(40)
    for one, other in zip(
        (*coarse.ecg, coarse.pleth, coarse.capnogram), (*fine.ecg, fine.pleth, fine.capnogram), strict=True
    ):
        assert one.end == other.end
        assert one.read(one.end - 500, 500) == other.read(other.end - 500, 500)
    assert coarse.vitals() == fine.vitals()


def test_different_seeds_give_simulated_patients_with_different_ecg_samples() -> None:
    one, other = patient(seed=1, until_s=10), patient(seed=2, until_s=10)
    assert one.lead("II").read(0, 5000) != other.lead("II").read(0, 5000)


def test_stable_patient_has_the_vital_signs_of_a_healthy_adult(resting: Patient) -> None:
    vitals = resting.vitals()
    assert 60 <= (vitals.heart_rate_bpm or 0) <= 85
    assert vitals.pulse_rate_bpm == pytest.approx(vitals.heart_rate_bpm, abs=3)
    assert 110 <= vitals.systolic_mmhg <= 135
    assert 60 <= vitals.diastolic_mmhg <= 85
    assert 95 <= (vitals.spo2_percent or 0) <= 100
    assert 33 <= (vitals.end_tidal_co2_mmhg or 0) <= 42
    assert 10 <= vitals.respiration_per_min <= 18
    assert vitals.temperature_c == pytest.approx(36.8, abs=0.1)


def test_heart_rate_matches_the_r_wave_intervals_of_the_ecg(resting: Patient) -> None:
    waves = r_waves(resting, 10)
    mean_s = (waves[-1] - waves[0]) / (len(waves) - 1)
    assert resting.vitals().heart_rate_bpm == pytest.approx(60 / mean_s, rel=0.08)


def test_r_wave_intervals_vary_with_respiration(resting: Patient) -> None:
    waves = r_waves(resting, 20)
    intervals = [later - earlier for earlier, later in pairwise(waves)]
    assert 0.02 < max(intervals) - min(intervals) < 0.25


def test_limb_leads_satisfy_the_einthoven_and_goldberger_relations() -> None:
    resting = patient(until_s=5)
    lead = {name: track.read(0, 2500) for name, track in zip(LEADS, resting.ecg, strict=True)}
    for i, ii, iii, avr, avl, avf in zip(*(lead[name] for name in LEADS[:6]), strict=True):
        assert abs(i + iii - ii) <= 2  # Einthoven, in steps of 5 µV, each lead rounded by itself
        assert abs(avr + avl + avf) <= 3  # Goldberger


def test_arterial_pulse_follows_the_r_wave_by_80_to_350_milliseconds() -> None:
    resting = patient(until_s=10)
    (_, *waves, _) = r_waves(resting, 5)
    pressure = resting.arterial_pressure
    samples = pressure.read(pressure.end - 5 * pressure.rate_hz, 5 * pressure.rate_hz)
    for wave in waves:
        start = int(wave * pressure.rate_hz)
        beat = samples[start : start + 45]
        assert 8 <= beat.index(max(beat)) <= 35  # 80 … 350 ms after R


def test_pulse_is_absent_in_ventricular_fibrillation_until_compressions_begin(arrest: dict[int, Patient]) -> None:
    before, stopped, compressed, returned = (arrest[time_s].vitals() for time_s in (28, 41, 200, 300))
    assert arrest[41].rhythm is Rhythm.VENTRICULAR_FIBRILLATION
    assert (stopped.heart_rate_bpm, stopped.pulse_rate_bpm, stopped.spo2_percent) == (None, None, None)
    assert stopped.cuff_mmhg == (None, None, None)
    assert (compressed.pulse_rate_bpm or 0) == pytest.approx(110, abs=5)
    assert 10 <= (compressed.end_tidal_co2_mmhg or 0) <= 27
    assert arrest[300].rhythm is Rhythm.SINUS
    assert returned.systolic_mmhg > 95
    assert (returned.end_tidal_co2_mmhg or 0) > (compressed.end_tidal_co2_mmhg or 0) + 8
    assert (before.heart_rate_bpm or 0) > 80


def test_treatment_of_a_cardiac_arrest_records_compressions_shocks_and_pacing(arrest: dict[int, Patient]) -> None:
    early, late = arrest[110].treatment, arrest[400].treatment
    assert early.compressing
    assert early.compressions_per_min == 110
    assert early.compression_depth_mm == 54
    assert [(shock.energy_j, shock.impedance_ohm) for shock in early.shocks] == [(200, 78)]
    assert [shock.number for shock in late.shocks] == [1, 2]
    assert (late.pacing_per_min, late.pacing_current_ma) == (70, 65)
    assert (arrest[400].vitals().heart_rate_bpm or 0) == pytest.approx(70, abs=2)


def test_deteriorating_patient_has_falling_pressure_and_rising_heart_and_respiration_rate() -> None:
    failing = patient("deteriorating", until_s=15)
    before = failing.vitals()
    failing.advance_to(520)
    after = failing.vitals()

    def change(of: str) -> float:
        return float(getattr(after, of) or 0) - float(getattr(before, of) or 0)

    assert change("systolic_mmhg") < -25
    assert change("heart_rate_bpm") > 25
    assert change("respiration_per_min") > 5
    assert change("spo2_percent") < -8
    st_level = failing.lead("III").read(failing.lead("III").end - 500, 500)
    assert max(st_level) > 0  # the tracing is still there


def test_reading_overwritten_samples_raises_an_error_with_the_oldest_available_index(resting: Patient) -> None:
    with pytest.raises(SamplesDropped) as gone:
        resting.pleth.read(0, 100)
    assert gone.value.oldest == resting.pleth.oldest > 0


def test_unknown_patient_scenario_is_rejected_with_the_names_of_known_scenarios() -> None:
    with pytest.raises(UnknownScenario, match="cardiac-arrest"):
        scenario_of("earthquake")
    assert set(SCENARIOS) == {"stable", "deteriorating", "cardiac-arrest"}
    assert isinstance(patient(until_s=1).vitals(), Vitals)


def test_simulation_of_a_patient_uses_less_than_five_percent_of_a_core() -> None:
    living = patient()
    started = time.process_time()
    living.advance_to(20)
    assert (time.process_time() - started) / 20 < 0.05


def test_simulated_body_has_a_different_adult_size_for_each_seed_and_person() -> None:
    household = [body_of(seed, person) for seed in range(40) for person in (1, 2)]
    assert len(set(household)) == len(household)
    assert all(140 <= body.height_cm <= 205 and 20 <= body.mass_index <= 30 for body in household)
    assert patient(seed=3).body == body_of(3)


def test_glucose_varies_within_three_percent_of_its_set_value() -> None:
    seen = [patient(until_s=at_s).vitals().glucose_mmol_per_l for at_s in (0, 60, 200)]
    assert len(set(seen)) == 3
    assert seen == pytest.approx([5.4] * 3, rel=0.03)


def test_inspired_co2_is_near_zero_while_breathing_and_absent_in_apnoea() -> None:
    assert patient(until_s=20).vitals().inspired_co2_mmhg == pytest.approx(0, abs=1)
    still = patient()
    still.condition.breathing_drive = 0.0
    still.advance_to(40)
    assert still.vitals().inspired_co2_mmhg is None
