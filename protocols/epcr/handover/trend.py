"""Trend plot of a hand-over: the vital signs over the call, as lines with a name each, and pressures as bars."""

from collections.abc import Mapping, Sequence

from protocols.epcr.handover.drawing import Drawing, Label, Line, Point
from protocols.epcr.handover.readings import SIGN_NAMES, Reading, Sign
from protocols.epcr.handover.wording import Wording

WIDTH_MM, HEIGHT_MM = 186.0, 62.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 10.0, 20.0, 3.0, 7.0
_HIGHEST = 220.0
"""Top of the scale, which all signs share: beats, breaths, mmHg and % have values below it."""
_GAP_US = 180_000_000
"""Pause between two readings of a device over which no line is drawn."""
_DASHES: Mapping[Sign, float] = {Sign.HEART_RATE: 0.0, Sign.SPO2: 1.6, Sign.BREATHING: 0.6, Sign.ETCO2: 3.0}
"""Dash of each line in mm, so that lines differ without colour."""
_TICKS_MAX = 8
_STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440)
_MINUTE_US = 60_000_000


def trend_drawing(readings: Sequence[Reading], title: str, wording: Wording) -> Drawing | None:
    """Draw the readings of a call, oldest first; None if there are fewer than two times."""
    shown = [each for each in readings if each.numbers and (each.sign in _DASHES or each.sign is Sign.PRESSURE)]
    if len({each.at_us for each in shown}) < 2:
        return None
    began, ended = min(each.at_us for each in shown), max(each.at_us for each in shown)
    span = max(1, ended - began)

    def place(at_us: int, number: float) -> Point:
        x = _LEFT + (WIDTH_MM - _LEFT - _RIGHT) * (at_us - began) / span
        share = min(max(number, 0.0), _HIGHEST) / _HIGHEST
        return x, HEIGHT_MM - _BOTTOM - share * (HEIGHT_MM - _TOP - _BOTTOM)

    lines, labels = _axes(began, ended, place(began, 0.0), wording)
    lines += [
        Line(((x, upper), (x, lower)), "ink", 0.5)
        for each in shown
        if each.sign is Sign.PRESSURE and len(each.numbers) > 1
        for (x, upper), (_, lower) in [
            (place(each.at_us, float(each.numbers[0])), place(each.at_us, float(each.numbers[1])))
        ]
    ]
    ends: list[tuple[float, str]] = []
    for sign, dash in _DASHES.items():
        series = [each for each in shown if each.sign is sign]
        for run in _runs(series):
            points = [place(each.at_us, each.number or 0.0) for each in run]
            if len(points) == 1:  # a dot, which a line without length would not be
                points.append((points[0][0] + 0.6, points[0][1]))
            lines.append(Line(points, "ink", 0.35, dash))
        if series:
            last = series[-1]
            text = f"{wording.words(SIGN_NAMES[sign])} {last.text(wording, with_unit=False)}"
            ends.append((place(last.at_us, last.number or 0.0)[1] + 1.0, text))
    return Drawing(title, WIDTH_MM, HEIGHT_MM, lines, [*labels, *_apart(ends)])


def _runs(series: Sequence[Reading]) -> list[list[Reading]]:
    """Return the readings of a sign in runs without a gap: a gap in the data is a gap in the line."""
    runs: list[list[Reading]] = []
    for each in series:
        if runs and each.at_us - runs[-1][-1].at_us <= _GAP_US:
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _axes(began: int, ended: int, origin: Point, wording: Wording) -> tuple[list[Line], list[Label]]:
    right, floor = WIDTH_MM - _RIGHT, origin[1]
    lines = [Line(((_LEFT, floor), (right, floor)), "quiet", 0.2), Line(((_LEFT, _TOP), (_LEFT, floor)), "quiet", 0.2)]
    labels = []
    for number in range(0, int(_HIGHEST) + 1, 50):
        y = floor - number / _HIGHEST * (floor - _TOP)
        lines.append(Line(((_LEFT, y), (right, y)), "grid", 0.1))
        labels.append(Label(_LEFT - 1.0, y + 1.0, str(number), 2.8, "quiet", at_end=True))
    minutes = (ended - began) / _MINUTE_US
    step = next((step for step in _STEPS_MIN if minutes / step <= _TICKS_MAX), _STEPS_MIN[-1]) * _MINUTE_US
    for at_us in range(-(-began // step) * step, ended + 1, step):
        x = _LEFT + (right - _LEFT) * (at_us - began) / max(1, ended - began)
        lines.append(Line(((x, floor), (x, floor + 1.0)), "quiet", 0.2))
        labels.append(Label(min(x, right - 8.0), floor + 4.5, wording.time(at_us)[-5:], 2.8, "quiet"))
    return lines, labels


def _apart(ends: Sequence[tuple[float, str]]) -> list[Label]:
    """Return the names at the ends of the lines, moved so that none covers another."""
    labels: list[Label] = []
    at = 0.0
    for y, text in sorted(ends):
        at = max(y, at + 3.4)
        labels.append(Label(WIDTH_MM - _RIGHT + 1.0, at, text, 2.8))
    return labels
