"""Capnometer (`etco2`): the capnogram in blocks, four times a second, and its numbers once a second."""

from collections.abc import Iterator

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import CAPNOMETER
from simulators.agents.blocks import WaveformDevice
from simulators.agents.device import Description
from simulators.agents.objects import Numeric
from simulators.physiology.patient import Patient

_END_TIDAL = Numeric(10)
_INSPIRED = Numeric(11)
_BREATHS = Numeric(12)


class Capnometer(WaveformDevice):
    """Capnometer. Object handles: 1 capnogram, 10 end-tidal CO2, 11 inspired CO2, 12 respiration rate."""

    configuration = CAPNOMETER

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description, [(1, patient.capnogram)])

    def reports(self, now_s: float, time: DeviceTime) -> Iterator[tuple[Reading, ...]]:
        if self._each_second.turn_s(now_s) is not None:
            vitals = self._patient.vitals()
            yield (
                _END_TIDAL.read(vitals.end_tidal_co2_mmhg, time),
                _INSPIRED.read(vitals.inspired_co2_mmhg, time),
                _BREATHS.read(vitals.respiration_per_min, time),
            )
