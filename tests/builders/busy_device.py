"""A device that sends as much data as its line carries. Each report has a numeric, whose value is the number of the
report, and a waveform, which makes the report large.

The number identifies the report, so that a test can find every lost, repeated or misplaced report in the store. The
first sample of the waveform repeats the number, because waveforms are stored and sent separately from numerics.
"""

import sys
from array import array

from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric, waveform
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report
from protocols.ieee11073.nomenclature.code import Code

COUNT, WAVEFORM = 1, 2
"""Handles of the count and of the waveform."""
FIRST_SAMPLES = 1 << 15
"""The first sample of the waveform is the count modulo this number."""
_CONFIG_ID = 0x4321
_TYPE, _WAVE_TYPE = Code(2, 18466), Code(2, 256)
_UNIT, _WAVE_UNIT = Code(4, 2720), Code(4, 4274)
_PERIOD_S = 0.001


class BusyDevice:
    """A device whose reports each have the report's number and a waveform of `samples` samples; with 0 samples, only
    the number."""

    def __init__(self, number: int, samples: int) -> None:
        self.system_id = bytes.fromhex("b05eb05e") + number.to_bytes(4, "big")
        self._samples = samples
        objects = [numeric(COUNT, _TYPE, _UNIT, value=Attribute.NU_SIMPLE)]
        if samples:
            objects.append(
                waveform(
                    WAVEFORM,
                    _WAVE_TYPE,
                    _WAVE_UNIT,
                    period_s=_PERIOD_S,
                    samples=samples,
                    physical=(-10.0, 10.0),
                    raw=(-10_000, 10_000),
                )
            )
        self.configuration = Configuration(_CONFIG_ID, tuple(objects))
        self._shape = [round(5_000 * ((at * 37 % 200) / 100 - 1)) for at in range(max(0, samples - 1))]

    def report(self, number: int) -> ScanReport:
        """Return report `number`, counted from 1."""
        readings = [Reading(COUNT, float(number))]
        if self._samples:
            samples = array("h", [number % FIRST_SAMPLES, *self._shape])
            if sys.byteorder == "little":
                samples.byteswap()
            readings.append(Reading(WAVEFORM, samples.tobytes()))
        return fixed_report(self.configuration, readings)
