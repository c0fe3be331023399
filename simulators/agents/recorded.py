"""Monitor that plays a WFDB record: measurements of a real patient, at the record's own resolution and pace.

Each signal of the record becomes one object. Fast signals become waveforms whose samples are sent unchanged, as 16-bit
integers, so raw samples exported from the cloud equal the samples of the file. The module `scale` computes the scale
that a waveform object declares. Slow signals become numerics.

A record slower than one frame a second is played at one frame a second, so that a demo does not last hours; the time
stamps follow the playback. At its end a record restarts; the block at the restart holds the last and the first samples.
"""

from array import array
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Final
from zlib import crc32

from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.dim import objects
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.ieee11073.specializations import codes
from protocols.ieee11073.specializations.extended import CONTINUOUS
from simulators.agents.device import Description, Device, Measured, TimeAt
from simulators.agents.objects import Numeric, Waveform
from simulators.agents.scale import scale_of
from simulators.replay.wfdb import GAP, Record
from simulators.replay.wfdb_header import RecordUnusable, Signal

_FIRST_CONFIG_ID: Final = 0x4400
_LAST_CONFIG_ID: Final = 0x7FFF
_BLOCK_S: Final = Fraction(1, 4)
_SLOWEST_WAVEFORM_HZ: Final = 10
_REPORT_BYTES_MAX: Final = 48_000
"""Well below the size of an APDU."""
_PRIVATE: Final = 1024
_PRIVATE_FIRST: Final = 0xF100
"""First private code, for a signal with an unknown name: it is still sent, with its name as label."""

_WAVEFORMS: Final = {
    **{name.upper(): code for name, code in codes.LEAD_CODES.items()},
    "VX": code_of("MDC_ECG_ELEC_POTL_VX"),
    "VY": code_of("MDC_ECG_ELEC_POTL_VY"),
    "VZ": code_of("MDC_ECG_ELEC_POTL_VZ"),
    "V": code_of("MDC_ECG_ELEC_POTL_V"),
    "MCL1": code_of("MDC_ECG_ELEC_POTL_MCL1"),
    "ECG": code_of("MDC_ECG_ELEC_POTL"),
    "MLII": codes.LEAD_CODES["II"],
    "PLETH": codes.PLETH,
    "RESP": codes.IMPEDANCE_RESPIRATION,
    "ABP": code_of("MDC_PRESS_BLD_ART_ABP"),
    "ART": code_of("MDC_PRESS_BLD_ART"),
    "CVP": code_of("MDC_PRESS_BLD_VEN_CENT"),
    "PAP": code_of("MDC_PRESS_BLD_ART_PULM"),
    "CO2": codes.CO2,
}
_NUMERICS: Final = {
    "HR": codes.HEART_RATE,
    "PULSE": codes.PULSE_RATE_OXIMETER,
    "SPO2": codes.SPO2,
    "RESP": code_of("MDC_RESP_RATE"),
    "TEMP": codes.TEMPERATURE,
    "ETCO2": codes.END_TIDAL_CO2,
    "ABPSYS": code_of("MDC_PRESS_BLD_ART_ABP_SYS"),
    "ABPDIAS": code_of("MDC_PRESS_BLD_ART_ABP_DIA"),
    "ABPMEAN": code_of("MDC_PRESS_BLD_ART_ABP_MEAN"),
    "NBPSYS": codes.PRESSURE_PARTS[0],
    "NBPDIAS": codes.PRESSURE_PARTS[1],
    "NBPMEAN": codes.PRESSURE_PARTS[2],
}
_UNITS: Final = {
    "MV": codes.MILLIVOLT,
    "UV": code_of("MDC_DIM_MICRO_VOLT"),
    "NU": codes.DIMENSIONLESS,
    "MMHG": codes.MMHG,
    "%": codes.PERCENT,
    "BPM": codes.BEATS_PER_MIN,
    "PM": codes.BREATHS_PER_MIN,
    "OHM": codes.OHM,
    "DEGC": codes.CELSIUS,
    "C": codes.CELSIUS,
}


class RecordedMonitor(Device):
    """Monitor that plays a record. The handle of an object is the position of its signal in the header, from 1."""

    def __init__(self, record: Record, description: Description) -> None:
        """Declare the objects of a record. Raises RecordUnusable for a record that is too short, or whose blocks do not
        fit one report."""
        super().__init__(description)
        self._record = record
        hz = record.header.frame_hz
        self._frame_s = min(Fraction(1), 1 / hz)
        self._frames_per_block = _frames_per_block(self._frame_s)
        self._block = 0
        if record.frames < self._frames_per_block or not record.signals:
            raise RecordUnusable(f"record {record.header.name} is too short to be played")
        self._objects = tuple(self._object(index, signal) for index, signal in enumerate(record.signals))
        declared = tuple(self._declared(index, signal) for index, signal in enumerate(record.signals))
        octets = sum(12 + 2 * signal.samples_per_frame * self._frames_per_block for signal in record.signals)
        if octets > _REPORT_BYTES_MAX:
            raise RecordUnusable(f"a quarter of a second of record {record.header.name} does not fit one report")
        self.configuration = Configuration(_config_id(declared), declared)

    @property
    def due_s(self) -> float:
        return float((self._block + 1) * self._frames_per_block * self._frame_s)

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        while self.due_s <= now_s + 1e-9:
            frame = self._block * self._frames_per_block
            time = time_at(float(frame * self._frame_s))
            readings: list[Reading] = []
            fast = False
            for item, signal, samples in zip(self._objects, self._record.signals, self._read(frame), strict=True):
                if isinstance(item, Waveform):
                    fast = True
                    readings.append(item.read(samples, time))
                else:
                    readings.append(item.read(_physical(samples[-1], signal), time))
            self._block += 1
            yield Measured(time, tuple(readings), waveform=fast)

    def _read(self, frame: int) -> "tuple[array[int], ...]":
        """Return, for each signal, the samples of the block that starts at frame number `frame`. The record repeats
        without end."""
        count, first = self._frames_per_block, frame % self._record.frames
        left = min(count, self._record.frames - first)
        head = self._record.read(first, left)
        if left == count:
            return head
        tail = self._record.read(0, count - left)
        return tuple(a + b for a, b in zip(head, tail, strict=True))

    def _rate_hz(self, signal: Signal) -> float:
        return float(signal.samples_per_frame / self._frame_s)

    def _is_waveform(self, signal: Signal) -> bool:
        return self._rate_hz(signal) >= _SLOWEST_WAVEFORM_HZ

    def _object(self, index: int, signal: Signal) -> Waveform | Numeric:
        return Waveform(index + 1) if self._is_waveform(signal) else Numeric(index + 1, decimals=1)

    def _declared(self, index: int, signal: Signal) -> ConfigObject:
        """Return the configuration object for signal number `index`; its type follows from the signal's name and unit.
        Sample-Period counts units of 125 µs, so a rate that does not divide 8000 Hz is declared rounded."""
        waveform = self._is_waveform(signal)
        name = signal.description.strip().upper().replace(" ", "")
        code = (_WAVEFORMS if waveform else _NUMERICS).get(name)
        unit = _UNITS.get(signal.units.upper())
        label = "" if code is not None else signal.description.strip()[:32]
        kind = code or Code(_PRIVATE, _PRIVATE_FIRST + index)
        stamp, shown = Attribute.TIME_STAMP_ABSOLUTE, unit or codes.DIMENSIONLESS
        if waveform:
            scale = scale_of(signal.gain, signal.baseline)
            declared = objects.waveform(
                index + 1,
                kind,
                shown,
                period_s=1 / self._rate_hz(signal),
                samples=signal.samples_per_frame * self._frames_per_block,
                physical=(float(scale.lower), float(scale.upper)),
                raw=(scale.lower_raw, scale.upper_raw),
                time_stamp=stamp,
            )
        else:
            declared = objects.numeric(index + 1, kind, shown, time_stamp=stamp, metric_spec=CONTINUOUS)
        return _labelled(declared, label, named_unit=unit is not None)


def _labelled(declared: ConfigObject, label: str, *, named_unit: bool) -> ConfigObject:
    attributes = [item for item in declared.attributes if named_unit or item.attribute_id != Attribute.UNIT_CODE]
    if label:
        text = label.encode("ascii", "replace")
        text += b" " * (len(text) % 2)
        attributes.append(AvaType(Attribute.LABEL_STRING, len(text).to_bytes(2, "big") + text))
    return replace(declared, attributes=tuple(attributes))


def _config_id(declared: tuple[ConfigObject, ...]) -> int:
    """Return a configuration id that depends on the declared objects, so that a manager that remembers the
    configuration of one record does not use it for another."""
    octets = Configuration(_FIRST_CONFIG_ID, declared).encoded
    return _FIRST_CONFIG_ID + crc32(octets) % (_LAST_CONFIG_ID - _FIRST_CONFIG_ID + 1)


def _frames_per_block(frame_s: Fraction) -> int:
    """Return the number of frames in a quarter of a second, or slightly fewer, so that a block lasts whole hundredths
    of a second, the resolution of AbsoluteTime."""
    most = max(1, int(_BLOCK_S / frame_s))
    whole = (count for count in range(most, most // 2, -1) if (count * frame_s * 100).denominator == 1)
    return next(whole, most)


def _physical(raw: int, signal: Signal) -> float | None:
    return None if raw == GAP else float((raw - signal.baseline) / signal.gain)
