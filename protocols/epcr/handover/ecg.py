"""ECG of a hand-over: ten seconds of all leads that a device sent together, and their drawing at true scale.

The drawing is the printed form of most devices: 25 mm/s and 10 mm/mV on a millimetre grid, three rows of four leads for
2.5 s each, and lead II for 10 s below. Each row begins with a calibration pulse, 10 mm high and 5 mm wide. A gap in the
data is a gap in the line.
"""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from protocols.epcr.handover.drawing import Drawing, Label, Line, Point
from protocols.ieee11073.nomenclature import name_of, term_of
from protocols.observation_record import ObservationRecord, raw_samples

STRIP_S = 10.0
"""Length of the strip."""
MM_PER_S, MM_PER_MV = 25.0, 10.0
PULSE_MM, PULSE_S_MM = 10.0, 5.0
"""Height and width of the calibration pulse: 1 mV for 0.2 s."""
RULER_MM = 50.0
"""Length of the ruler by which a reader checks the scale of a print."""
ROW_MM = 36.0
"""Height of a row: 3.6 mV, so that a tall lead seldom reaches the row above."""
LEADS_MAX = 12
SAMPLES_MAX = 10_000
"""Samples of one lead in the strip: 1000 Hz."""
_COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
_RHYTHM = "II"
_PREFIX = "MDC_ECG_ELEC_POTL_"
_NAMES = {"AVR": "aVR", "AVL": "aVL", "AVF": "aVF"}
_ORDER = tuple(lead for column in _COLUMNS for lead in column)
LEAD_CODES = frozenset(f"{_PREFIX}{lead.upper()}" for lead in _ORDER)
"""Names of the types of waveforms that are leads of a 12-lead ECG."""
_MARGIN_MM = 2.0
_MV_PER_UNIT = {"mV": 1.0, "uV": 0.001}
_JITTER_S = 0.1
"""Difference of a block's time and the end of the block before it that is no gap."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Samples of one lead in mV, `period_s` apart; NaN where the device sent none."""

    period_s: float
    millivolts: "array[float]"


@dataclass(frozen=True, slots=True)
class Ecg:
    """An ECG strip. `began_us`: UTC of its beginning. `device`: name of the device that recorded it."""

    began_us: int
    device: str
    leads: Mapping[str, Lead]

    @property
    def is_twelve_lead(self) -> bool:
        return all(lead in self.leads for lead in _ORDER)


def ecg_of(records: Iterable[ObservationRecord], *, until_us: int) -> Ecg | None:
    """Return the strip of the last `STRIP_S` seconds before `until_us` of the device with the most leads; None if no
    device sent an ECG. `records` are waveform records, those of one lead in order."""
    devices: dict[str, dict[str, list[ObservationRecord]]] = {}
    for record in records:
        lead = lead_of(record)
        if lead is not None and record.array is not None and record.array.period_s > 0:
            leads = devices.setdefault(record.device.system_id, {})
            if lead in leads or len(leads) < LEADS_MAX:
                leads.setdefault(lead, []).append(record)
    if not devices:
        return None
    leads = max(devices.values(), key=len)
    end_us = min(until_us, max(_end_us(blocks[-1]) for blocks in leads.values()))
    began_us = end_us - round(STRIP_S * 1_000_000)
    found = {lead: made for lead, blocks in leads.items() if (made := _lead(blocks, began_us)) is not None}
    if not found:
        return None
    device = next(iter(leads.values()))[0].device
    return Ecg(began_us, device.model or device.system_id[-4:], found)


def lead_of(record: ObservationRecord) -> str | None:
    """Return the name of the lead of an ECG waveform, such as "aVR"; None for another record."""
    name = name_of(record.type)
    if record.samples is None or not name.startswith(_PREFIX):
        return None
    lead = name.removeprefix(_PREFIX)
    lead = _NAMES.get(lead, lead)
    return lead if lead in _ORDER else None


def ecg_drawing(ecg: Ecg, title: str, caption: str, ruler: str) -> Drawing:
    """Draw a strip. `caption`: the line above it. `ruler`: the text at the ruler of `RULER_MM`."""
    rows = _rows(ecg)
    width = PULSE_S_MM + STRIP_S * MM_PER_S + 2 * _MARGIN_MM
    top = 10.0
    height = top + len(rows) * ROW_MM
    lines = _grid(width, top, height)
    labels = [Label(0.0, 4.0, title, 4.2), Label(0.0, 8.5, caption, 3.2, "quiet")]
    for number, row in enumerate(rows):
        middle = top + (number + 0.5) * ROW_MM
        lines.append(_pulse(_MARGIN_MM, middle))
        for start_s, length_s, name in row:
            x = _MARGIN_MM + PULSE_S_MM + start_s * MM_PER_S
            labels.append(Label(x + 1.0, middle - ROW_MM / 2 + 4.5, name, 3.6))
            if (lead := ecg.leads.get(name)) is not None:
                lines += _trace(lead, start_s, length_s, x, middle)
    labels.append(Label(RULER_MM + 2.0, height + 6.5, ruler, 3.2))
    lines += _ruler(height + 5.0)
    return Drawing(title, width, height + 9.0, lines, labels)


def _end_us(record: ObservationRecord) -> int:
    assert record.array is not None
    return record.observed_at_us + round(len(raw_samples(record)) * record.array.period_s * 1_000_000)


def _lead(blocks: Sequence[ObservationRecord], began_us: int) -> Lead | None:
    """Place the samples of one lead on the strip, which begins at `began_us`."""
    scale = blocks[-1].array
    assert scale is not None
    count = round(STRIP_S / scale.period_s)
    if not 0 < count <= SAMPLES_MAX:
        return None
    factor = _MV_PER_UNIT.get("" if blocks[-1].unit is None else term_of(blocks[-1].unit).ucum)
    if factor is None:
        return None
    placed = array("d", [math.nan]) * count
    due: int | None = None
    for block in blocks:
        if block.array is None or block.array.period_s != scale.period_s:
            continue
        at = round((block.observed_at_us - began_us) / 1_000_000 / scale.period_s)
        if due is not None and abs(at - due) * scale.period_s < _JITTER_S:
            at = due
        for place, raw in enumerate(raw_samples(block), at):
            if 0 <= place < count:
                placed[place] = (block.array.slope * raw + block.array.offset) * factor
        due = at + len(raw_samples(block))
    return None if all(map(math.isnan, placed)) else Lead(scale.period_s, placed)


def _rows(ecg: Ecg) -> list[list[tuple[float, float, str]]]:
    """Return the rows of the drawing: start and length in s, and name, of each lead. Without all twelve leads, each
    lead has a row of its own, four at most."""
    if not ecg.is_twelve_lead:
        return [[(0.0, STRIP_S, lead)] for lead in _ORDER if lead in ecg.leads][:4]
    quarter = STRIP_S / len(_COLUMNS)
    rows = [
        [(column * quarter, quarter, leads[row]) for column, leads in enumerate(_COLUMNS)]
        for row in range(len(_COLUMNS[0]))
    ]
    return [*rows, [(0.0, STRIP_S, _RHYTHM)]]


def _grid(width: float, top: float, bottom: float) -> list[Line]:
    lines = []
    for millimetre in range(int(width) + 1):
        stroke, pen = ("grid-bold", 0.2) if millimetre % 5 == 0 else ("grid", 0.1)
        lines.append(Line(((float(millimetre), top), (float(millimetre), bottom)), stroke, pen))
    for millimetre in range(round(bottom - top) + 1):
        stroke, pen = ("grid-bold", 0.2) if millimetre % 5 == 0 else ("grid", 0.1)
        lines.append(Line(((0.0, top + millimetre), (width, top + millimetre)), stroke, pen))
    return lines


def _pulse(x: float, middle: float) -> Line:
    """Return the calibration pulse, whose edges are `PULSE_S_MM` apart."""
    top = middle - PULSE_MM
    return Line(((x, middle), (x, top), (x + PULSE_S_MM, top), (x + PULSE_S_MM, middle)), "ink", 0.3)


def _trace(lead: Lead, start_s: float, length_s: float, x: float, middle: float) -> list[Line]:
    first, last = round(start_s / lead.period_s), round((start_s + length_s) / lead.period_s)
    lines: list[Line] = []
    points: list[Point] = []
    for place in range(first, min(last, len(lead.millivolts))):
        value = lead.millivolts[place]
        if math.isnan(value):
            if len(points) > 1:
                lines.append(Line(tuple(points)))
            points = []
            continue
        height = max(-ROW_MM / 2, min(ROW_MM / 2, value * MM_PER_MV))
        points.append((x + (place - first) * lead.period_s * MM_PER_S, middle - height))
    if len(points) > 1:
        lines.append(Line(tuple(points)))
    return lines


def _ruler(y: float) -> list[Line]:
    ends = [Line(((x, y - 1.5), (x, y + 1.5)), "ink", 0.3) for x in (0.0, RULER_MM)]
    return [Line(((0.0, y), (RULER_MM, y)), "ink", 0.3), *ends]
