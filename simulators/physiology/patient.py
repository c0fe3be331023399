"""One patient: heart, lungs, circulation and temperature, advanced through a scenario.

All samples depend only on the seed, the scenario and the time. So several devices that share the patient may call
`advance_to` in any steps and get the same samples. Patient time is in seconds since the patient began, and only moves
forward. The computation is deliberately cheap (one vector and one projection for each ECG sample), because all devices
of a vehicle run beside the gateway on the same two cores.
"""

from dataclasses import dataclass
from random import Random

from simulators.physiology.body import body_of, glucose_mmol_per_l
from simulators.physiology.circulation import STEP_HZ, Circulation
from simulators.physiology.condition import Condition, Rhythm, ShockGiven, Treatment
from simulators.physiology.ecg import LEADS, project
from simulators.physiology.heart import ECG_HZ, Heart
from simulators.physiology.lungs import Lungs
from simulators.physiology.temperature import Temperature
from simulators.physiology.timeline import Become, Compress, Pace, Row, Scenario, Shock, Turn
from simulators.physiology.track import Track

_STEP_S = 1 / STEP_HZ
_ECG_PER_STEP = ECG_HZ // STEP_HZ
_SHOCKS_KEPT = 64
"""Limit of kept shocks, so that a long scenario does not fill the memory."""

ECG_GAIN_PER_MV = 200
PLETH_GAIN = 10_000
CO2_GAIN_PER_MMHG = 100
PRESSURE_GAIN_PER_MMHG = 20
RESPIRATION_GAIN_PER_OHM = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Vital signs as a monitor shows them now; None: not measurable (no pulse, no countable rhythm, no breath)."""

    heart_rate_bpm: float | None
    pulse_rate_bpm: float | None
    systolic_mmhg: float
    diastolic_mmhg: float
    mean_mmhg: float
    pulse_found: bool
    spo2_percent: float | None
    perfusion_percent: float
    end_tidal_co2_mmhg: float | None
    inspired_co2_mmhg: float | None
    respiration_per_min: float
    temperature_c: float
    glucose_mmol_per_l: float

    @property
    def cuff_mmhg(self) -> tuple[float | None, float | None, float | None]:
        """Return systolic, diastolic and mean pressure as a cuff measures them; each is None without a pulse."""
        if not self.pulse_found:
            return None, None, None
        return self.systolic_mmhg, self.diastolic_mmhg, self.mean_mmhg


@dataclass(slots=True)
class _Ramp:
    knob: str
    start: float
    end: float
    from_s: float
    over_s: float

    def at(self, now_s: float) -> float:
        part = 1.0 if self.over_s <= 0 else min(1.0, (now_s - self.from_s) / self.over_s)
        return self.start + part * (self.end - self.start)


class Patient:
    """Simulated patient, reproducible by a seed. `ecg` has one track of samples for each of `LEADS`."""

    def __init__(self, seed: int, scenario: Scenario) -> None:
        self.seed = seed
        self.scenario = scenario
        self.body = body_of(seed)
        random = Random(seed)
        self._heart = Heart(random)
        self._circulation = Circulation()
        self._lungs = Lungs(random)
        self._temperature = Temperature()
        self.condition = Condition()
        for knob, value in scenario.start.items():
            setattr(self.condition, knob, value)
        self.treatment = Treatment()
        self._rows: list[Row] = list(scenario.rows)
        self._ramps: list[_Ramp] = []
        self._steps = 0
        self.ecg = tuple(Track(ECG_HZ, ECG_GAIN_PER_MV) for _ in LEADS)
        self.pleth = Track(STEP_HZ, PLETH_GAIN)
        self.capnogram = Track(STEP_HZ, CO2_GAIN_PER_MMHG)
        self.arterial_pressure = Track(STEP_HZ, PRESSURE_GAIN_PER_MMHG)
        self.respiration = Track(STEP_HZ, RESPIRATION_GAIN_PER_OHM)

    @property
    def now_s(self) -> float:
        return self._steps * _STEP_S

    @property
    def rhythm(self) -> Rhythm:
        return self._heart.rhythm

    def lead(self, name: str) -> Track:
        return self.ecg[LEADS.index(name)]

    def advance_to(self, now_s: float) -> None:
        """Advance the patient to the patient time `now_s` in steps of 10 ms. An earlier time than the current one has
        no effect."""
        target = int(now_s * STEP_HZ + 1e-6)
        while self._steps < target:
            self._step()
        for track in (*self.ecg, self.pleth, self.capnogram, self.arterial_pressure, self.respiration):
            track.trim()

    def vitals(self) -> Vitals:
        circulation, lungs = self._circulation, self._lungs
        pulse = circulation.pulse_rate_bpm
        found = pulse is not None
        return Vitals(
            heart_rate_bpm=self._heart.measured_rate_bpm,
            pulse_rate_bpm=pulse,
            systolic_mmhg=circulation.systolic_mmhg,
            diastolic_mmhg=circulation.diastolic_mmhg,
            mean_mmhg=circulation.mean_mmhg,
            pulse_found=found,
            spo2_percent=min(100.0, lungs.oximeter_percent) if found and circulation.perfused else None,
            perfusion_percent=max(0.02, circulation.pulse_pressure_mmhg / 12.0),
            end_tidal_co2_mmhg=lungs.measured_end_tidal_mmhg,
            inspired_co2_mmhg=lungs.measured_inspired_mmhg,
            respiration_per_min=lungs.measured_rate_per_min,
            temperature_c=self._temperature.core_c,
            glucose_mmol_per_l=glucose_mmol_per_l(self.condition.glucose_set_mmol_per_l, self.now_s),
        )

    def _step(self) -> None:
        self._play_rows()
        condition, treatment = self.condition, self.treatment
        lungs, circulation, heart = self._lungs, self._circulation, self._heart
        lungs.heat = self._temperature.heat
        lungs.step(condition, circulation.output_l_per_min)
        rate_bpm = condition.sinus_rate_bpm + circulation.reflex_rate_bpm
        tracks = [track.append for track in self.ecg]
        for _ in range(_ECG_PER_STEP):
            x, y, z, beat = heart.step(
                rate_bpm, lungs.sinus_arrhythmia, lungs.filling, condition.st_elevation_mv, treatment
            )
            if beat:
                circulation.beat(condition)
            for append, millivolt in zip(tracks, project(x, y, z), strict=True):
                append(round(millivolt * ECG_GAIN_PER_MV))
        circulation.step(condition, treatment, lungs.filling)
        self._temperature.step(condition, circulation.perfused, _STEP_S)
        self.pleth.append(round((0.5 + circulation.pleth) * PLETH_GAIN))
        self.capnogram.append(round(lungs.capnogram_mmhg * CO2_GAIN_PER_MMHG))
        self.arterial_pressure.append(round(circulation.pressure_mmhg * PRESSURE_GAIN_PER_MMHG))
        self.respiration.append(round(lungs.filling * RESPIRATION_GAIN_PER_OHM))
        self._steps += 1

    def _play_rows(self) -> None:
        now_s = self.now_s
        while self._rows and self._rows[0].at_s <= now_s:
            self._play(self._rows.pop(0))
        if self._ramps:
            for ramp in self._ramps:
                setattr(self.condition, ramp.knob, ramp.at(now_s))
            self._ramps = [ramp for ramp in self._ramps if now_s < ramp.from_s + ramp.over_s]

    def _play(self, row: Row) -> None:
        match row:
            case Turn(at_s, knobs, over_s):
                self._ramps = [ramp for ramp in self._ramps if ramp.knob not in knobs]
                for knob, value in knobs.items():
                    self._ramps.append(_Ramp(knob, getattr(self.condition, knob), value, at_s, over_s))
            case Become(_, rhythm):
                self._heart.become(rhythm)
            case Compress(_, per_min, depth_mm):
                self.treatment.compressions_per_min = per_min
                self.treatment.compression_depth_mm = depth_mm
            case Pace(_, per_min, current_ma):
                self.treatment.pacing_per_min = per_min
                self.treatment.pacing_current_ma = current_ma
            case Shock(at_s, energy_j, impedance_ohm, rhythm):
                self._heart.shock()
                shocks = self.treatment.shocks
                number = shocks[-1].number + 1 if shocks else 1
                shocks.append(ShockGiven(at_s, number, energy_j, impedance_ohm))
                del shocks[:-_SHOCKS_KEPT]
                self.treatment.pads_impedance_ohm = impedance_ohm
                if rhythm is not None:
                    self._heart.become(rhythm)
