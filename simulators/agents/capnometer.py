"""A capnometer (`etco2`): the capnogram four times a second, and its numbers once a second."""

from collections.abc import Iterator

from protocols.ieee11073.specializations.extended import CAPNOMETER
from simulators.agents.blocks import Blocks
from simulators.agents.device import Description, Device, Measured, Pace, TimeAt
from simulators.agents.objects import Numeric
from simulators.physiology import Patient

_END_TIDAL = Numeric(10)
_INSPIRED = Numeric(11)
_BREATHS = Numeric(12)


class Capnometer(Device):
    """A capnometer. Handles: 1 capnogram, 10 end-tidal and 11 inspired CO2, 12 respiration rate."""

    configuration = CAPNOMETER

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(description)
        self._patient = patient
        self._blocks = Blocks([(1, patient.capnogram)])
        self._each_second = Pace(1.0, 1.0)

    @property
    def due_s(self) -> float:
        return self._blocks.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        yield from self._blocks.measure(now_s, time_at)
        if self._each_second.turn_s(now_s) is not None:
            vitals, time = self._patient.vitals(), time_at(self._blocks.end_s)
            yield Measured(
                time,
                (
                    _END_TIDAL.read(vitals.end_tidal_co2_mmhg, time),
                    _INSPIRED.read(vitals.inspired_co2_mmhg, time),
                    _BREATHS.read(vitals.respiration_per_min, time),
                ),
            )
