"""Trends of the call for the crew page: numeric values over hours, blood pressures, and marks of events, from the feed.

They are kept in memory and are empty when the gateway starts, because a trend helps to judge the present; the buffer
keeps every value. Everything is bounded: SERIES_MAX channels of POINTS_MAX steps, PRESSURES_MAX pressures and MARKS_MAX
marks, of which the oldest are dropped first; at most about 8 MB. A step keeps its lowest, highest and last value, so
that a short fall is not lost between two points.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.crew.languages import Language
from gateway.crew.presentation import channel_id, device_name, value_text
from gateway.crew.vitals import VITALS, label_words, place, unit_words
from gateway.live import LiveDevice, LiveFeed, LiveUpdate
from protocols.ieee11073.nomenclature import code_of, name_of
from protocols.observation import Channel, Observation

STEP_S = 15.0
"""Seconds of one point: a call of an hour has 240 points, more than a tablet has pixels for one curve."""
POINTS_MAX = 1440
"""Points of one channel: six hours, longer than a transfer between hospitals."""
SERIES_MAX = 32
"""Channels with a trend: twelve devices with the vital signs that they share."""
PRESSURES_MAX = 200
"""Blood pressures: one every two minutes for more than six hours."""
MARKS_MAX = 200
"""Marks of events: shocks, pads, pacer, devices that connect and disconnect."""

_SHOCK_COUNT = code_of("X_PRIVATE_05")
_SHOCK_ENERGY = code_of("X_PRIVATE_06")
_PADS = code_of("X_PRIVATE_08")
_PACER_MODE = code_of("X_PRIVATE_12")
_PADS_ATTACHED = 0x8000


class Point(NamedTuple):
    """One step of a trend. `step`: monotonic time in units of STEP_S."""

    step: int
    low: float
    high: float
    last: float


class Mark(NamedTuple):
    """An event: monotonic time, kind (a key of `trends.marks`), and a detail to show, "" for none."""

    at_s: float
    kind: str
    detail: str


@dataclass(slots=True)
class _Series:
    device: LiveDevice
    channel: Channel
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=POINTS_MAX))

    def add(self, value: float, received_s: float) -> None:
        step = int(received_s // STEP_S)
        if self.points and self.points[-1].step >= step:
            last = self.points[-1]
            self.points[-1] = Point(last.step, min(last.low, value), max(last.high, value), value)
        else:
            self.points.append(Point(step, value, value, value))


class Trends:
    """The trends of all devices of this gateway since its start."""

    def __init__(self, live: LiveFeed) -> None:
        self._live = live
        self._series: OrderedDict[str, _Series] = OrderedDict()
        self._pressures: deque[tuple[LiveDevice, Observation]] = deque(maxlen=PRESSURES_MAX)
        self._marks: deque[Mark] = deque(maxlen=MARKS_MAX)
        self._connected: dict[str, bool] = {}
        self._states: dict[str, float] = {}

    async def follow(self) -> None:
        """Add what devices send, until cancelled."""
        with self._live.subscribe() as updates:
            async for update in updates:
                self.add(update)

    def add(self, update: LiveUpdate) -> None:
        """Add the observations of one update, and the connection of its device where it has changed."""
        device = update.device
        known = self._connected.get(device.ref.system_id)
        if known is not None and known != device.connected:
            kind = "connected" if device.connected else "disconnected"
            self._marks.append(Mark(device.since_s, kind, device.ref.model or device.manufacturer))
        self._connected[device.ref.system_id] = device.connected
        energy = ""
        for observation in update.observations:
            code = observation.channel.type
            if observation.samples is not None:
                continue
            if code == _SHOCK_ENERGY and isinstance(observation.value, float):
                energy = f"{observation.value:.0f} J"
            elif code in (_SHOCK_COUNT, _PADS, _PACER_MODE):
                self._add_state(device, observation)
            else:
                self._add_value(device, observation)
        if energy:
            self._marks.append(Mark(update.observations[0].received_s, "shock", energy))

    def _add_value(self, device: LiveDevice, observation: Observation) -> None:
        placed = place(observation.channel.type)
        if placed.rank >= len(VITALS) or placed.tile.place == "treatment":
            return
        if isinstance(observation.value, tuple):
            self._pressures.append((device, observation))
        elif isinstance(observation.value, float):
            self._series_of(device, observation.channel).add(observation.value, observation.received_s)

    def _series_of(self, device: LiveDevice, channel: Channel) -> _Series:
        key = channel_id(device, channel)
        found = self._series.get(key)
        if found is None:
            while len(self._series) >= SERIES_MAX:
                oldest = min(self._series, key=lambda each: self._series[each].points[-1].step)
                del self._series[oldest]
            self._series[key] = found = _Series(device, channel)
        return found

    def _add_state(self, device: LiveDevice, observation: Observation) -> None:
        """Mark a state that has changed. The first report of a state is no change."""
        value, code = observation.value, observation.channel.type
        if not isinstance(value, int):
            return
        key = channel_id(device, observation.channel)
        before = self._states.get(key)
        self._states[key] = value
        if code == _PADS and before is not None and before != value:
            kind = "pads_on" if value & _PADS_ATTACHED else "pads_off"
            self._marks.append(Mark(observation.received_s, kind, ""))
        elif code == _PACER_MODE and before is None:
            self._marks.append(Mark(observation.received_s, "pacer", ""))

    def form(self, now_s: float, words: Language) -> dict[str, Any]:
        """Describe the trends for the page, with ages in seconds instead of times. A point is age, low, high, last."""
        return {
            "step_s": STEP_S,
            "hours_max": round(POINTS_MAX * STEP_S / 3600),
            "series": [self._series_form(key, each, now_s, words) for key, each in self._series.items()],
            "pressures": [_pressure_form(device, each, now_s, words) for device, each in self._pressures],
            "marks": [
                {
                    "age_s": round(max(0.0, now_s - each.at_s), 1),
                    "kind": each.kind,
                    "words": " ".join(filter(None, (words.text(f"live.trends.marks.{each.kind}"), each.detail))),
                }
                for each in self._marks
            ],
        }

    def _series_form(self, key: str, series: _Series, now_s: float, words: Language) -> dict[str, Any]:
        placed = place(series.channel.type)
        return {
            "id": key,
            "tile": placed.tile.name,
            "order": placed.order,
            "rank": placed.rank,
            "label": label_words(series.channel.type, placed.vital, words),
            "colour": placed.vital.colour,
            "unit": unit_words(series.channel.unit),
            "device": device_name(series.device, words),
            "points": _points_form(series.points, now_s),
        }


def _points_form(points: Sequence[Point], now_s: float) -> list[list[float]]:
    return [[round(now_s - (each.step + 0.5) * STEP_S, 1), each.low, each.high, each.last] for each in points]


def _pressure_form(device: LiveDevice, observation: Observation, now_s: float, words: Language) -> dict[str, Any]:
    text, more = value_text(observation, words)
    value = observation.value
    assert isinstance(value, tuple)
    parts = dict(
        zip((name_of(kind).rsplit("_", 1)[-1] for kind in observation.channel.components), value, strict=False)
    )
    numbers = {key.lower(): part for key, part in parts.items() if isinstance(part, float)}
    return {
        "age_s": round(max(0.0, now_s - observation.received_s), 1),
        "text": f"{text} {more}".rstrip(),
        "device": device_name(device, words),
        **{key: numbers.get(key) for key in ("sys", "dia", "mean")},
    }
