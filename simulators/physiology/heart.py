"""Heart rhythm: the times of beats, and the electrical dipole at each ECG sample.

The sinus node gives each beat its own length. The scenario and the baroreflex set the mean rate. The current breath
shortens or lengthens the beat (respiratory sinus arrhythmia), and a slow 0.1 Hz wave and a little noise are added. This
gives the spectrum of real RR series (McSharry et al. 2003, §II-B; in that paper both bands are random, here the
respiratory band is the patient's own breathing). In fibrillation and asystole there are no beats and therefore no
pulse. Chest compressions, shocks and the pacer cause artefacts in every lead.
"""

from collections import deque
from math import exp, pi, sin
from random import Random

from simulators.physiology.condition import Rhythm, Treatment
from simulators.physiology.ecg import PACED_WAVES, SINUS_WAVES, Dipole
from simulators.physiology.fibrillation import Fibrillation

ECG_HZ = 500
_DT_S = 1 / ECG_HZ
_PACER_CAPTURE_MA = 55.0
"""Threshold at which a transcutaneous pacer captures this heart; below it, only the spikes are seen."""
_MUSCLE_NOISE_MV = 0.006
_BASELINE_PER_BREATH_MV = 0.035
_COMPRESSION_MV_PER_MM = 0.012
_SHOCK_MV = 40.0
"""Far beyond the range of the amplifier: the trace saturates, as it does on a real monitor."""


class Heart:
    """State of the heart. `step` advances it by one ECG sample. All times are patient seconds."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._dipole = Dipole()
        self._fibrillation = Fibrillation(random)
        self.rhythm = Rhythm.SINUS
        self._angle = -pi
        self._omega = 2 * pi
        self._waiting_s = 0.0
        self._slow_wave = random.uniform(0, 2 * pi)
        self._compression = 0.0
        self._to_spike_s = 0.0
        self._spike_s = 1.0
        self._since_shock_s = 1e9
        self._intervals_s: deque[float] = deque(maxlen=4)
        self._since_beat_s = 0.0
        self._now_s = 0.0

    @property
    def measured_rate_bpm(self) -> float | None:
        """Return the rate that a monitor computes: 0 in asystole; None in fibrillation, which has no R waves."""
        if self.rhythm is Rhythm.VENTRICULAR_FIBRILLATION:
            return None
        if self.rhythm is Rhythm.ASYSTOLE or self._since_beat_s > 4:
            return 0.0
        if not self._intervals_s:
            return 60 * self._omega / (2 * pi)
        return 60 * len(self._intervals_s) / sum(self._intervals_s)

    def become(self, rhythm: Rhythm) -> None:
        """Change the rhythm now. A change to sinus rhythm begins with a pause of 1.5 s."""
        if rhythm is self.rhythm:
            return
        self.rhythm = rhythm
        self._intervals_s.clear()
        if rhythm is Rhythm.VENTRICULAR_FIBRILLATION:
            self._fibrillation.begin()
        self._angle = -pi
        self._waiting_s = 1.5 if rhythm is Rhythm.SINUS else 0.0
        self._since_beat_s = 0.0

    def shock(self) -> None:
        self._since_shock_s = 0.0

    def step(
        self, rate_bpm: float, sinus_arrhythmia: float, breath: float, st_mv: float, treatment: Treatment
    ) -> tuple[float, float, float, bool]:
        """Advance by one ECG sample. Return the dipole x, y, z in mV, and whether the sample has the R wave of a beat.

        `rate_bpm` is the target rate of the sinus node. `sinus_arrhythmia` is the relative change of the rate by the
        current breath; `breath` is the filling of the lungs, 0 … 1. `st_mv` is the ST elevation in mV.
        """
        self._now_s += _DT_S
        self._since_beat_s += _DT_S
        beat = False
        if self.rhythm is Rhythm.SINUS:
            beat = self._turn(rate_bpm, sinus_arrhythmia, st_mv, treatment)
            x, y, z = self._dipole.step(self._angle, _DT_S) if self._waiting_s <= 0 else self._dipole.rest(_DT_S)
        else:
            x, y, z = self._dipole.rest(_DT_S)
            if self.rhythm is Rhythm.VENTRICULAR_FIBRILLATION:
                fx, fy, fz = self._fibrillation.step(_DT_S, treatment.compressing)
                x, y, z = x + fx, y + fy, z + fz
        return (*self._artefacts(x, y, z, breath, treatment), beat)

    def _turn(self, rate_bpm: float, sinus_arrhythmia: float, st_mv: float, treatment: Treatment) -> bool:
        """Advance by one sample in the cycle of beats. Return whether the sample contains the R wave."""
        if self._waiting_s > 0:
            self._waiting_s -= _DT_S
            return False
        before = self._angle
        self._angle += self._omega * _DT_S
        if self._angle >= pi or not self._dipole.has_beat:
            self._angle -= 2 * pi if self._angle >= pi else 0.0
            self._begin(rate_bpm, sinus_arrhythmia, st_mv, treatment)
        if before < 0 <= self._angle:
            self._intervals_s.append(self._since_beat_s)
            self._since_beat_s = 0.0
            return True
        return False

    def _begin(self, rate_bpm: float, sinus_arrhythmia: float, st_mv: float, treatment: Treatment) -> None:
        captured = treatment.pacing_per_min > rate_bpm and treatment.pacing_current_ma >= _PACER_CAPTURE_MA
        if captured:
            rate = treatment.pacing_per_min
        else:
            slow = 0.02 * sin(self._slow_wave + 2 * pi * 0.1 * self._now_s)
            rate = rate_bpm * (1 + sinus_arrhythmia + slow + self._random.gauss(0, 0.008))
        self._omega = 2 * pi * min(220.0, max(20.0, rate)) / 60
        self._dipole.begin_beat(PACED_WAVES if captured else SINUS_WAVES, self._omega, st_mv)
        if captured:
            # The spike is slightly before the wide QRS that it starts.
            self._to_spike_s = max(0.0, (pi - 0.25) / self._omega)

    def _artefacts(
        self, x: float, y: float, z: float, breath: float, treatment: Treatment
    ) -> tuple[float, float, float]:
        noise = self._random.gauss
        x += _BASELINE_PER_BREATH_MV * breath + noise(0, _MUSCLE_NOISE_MV)
        y += _BASELINE_PER_BREATH_MV * breath + noise(0, _MUSCLE_NOISE_MV)
        z += noise(0, _MUSCLE_NOISE_MV)
        if treatment.compressing:
            self._compression += 2 * pi * treatment.compressions_per_min / 60 * _DT_S
            push = sin(self._compression) + 0.3 * sin(2 * self._compression)
            y += _COMPRESSION_MV_PER_MM * treatment.compression_depth_mm * push
        if treatment.pacing:
            spike_mv = self._pacer_spike(treatment)
            x += spike_mv
            y += spike_mv
        if self._since_shock_s < 4.0:
            self._since_shock_s += _DT_S
            size = _SHOCK_MV if self._since_shock_s < 0.08 else 3.0 * exp(-(self._since_shock_s - 0.08) / 0.7)
            x, y, z = x + size, y + size, z + size
        return x, y, z

    def _pacer_spike(self, treatment: Treatment) -> float:
        """Return the pacer spike in mV at this sample; a monitor shows a stimulus of 2 ms about three samples wide."""
        self._to_spike_s -= _DT_S
        if self._to_spike_s <= 0:
            self._to_spike_s += 60 / treatment.pacing_per_min
            self._spike_s = 0.0
        self._spike_s += _DT_S
        return 2.5 if self._spike_s < 0.007 else 0.0
