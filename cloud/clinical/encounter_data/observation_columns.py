"""Observations as columns, for tables: the same values as the JSON lines (`observation_lines`), without their text."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import orjson

from cloud.clinical.encounter_data.observation_lines import Lanes, ShownChannel, described
from cloud.clinical.observations import API_LANE_ID, EncounterRow, EncounterWalks, public_id, time_of
from protocols.observation import status_names

OBSERVATION_COLUMNS = (
    *("device_id", "mdc_code", "unit_code", "handle", "person", "supplemental_types", "value", "value_other"),
    *("observed_at", "uncertainty_ms", "received_at", "device_time", "from_memory", "wall_synchronised", "status"),
    *("flags", "origin", "id", "gateway", "epoch", "lane", "sequence", "index"),
)
"""The names of the columns: the fields of a JSON line, with those of `provenance` in the row itself. A value that is
not a number is in `value_other`, as text (NaN) or as JSON (a compound). Times are µs since 1970 UTC."""

_FIELDS = 16
_NOTHING = (None, None, None)


class ObservationTable:
    """Writes the observations of one encounter as columns. `lanes` must have the lanes of all rows that are written."""

    def __init__(self, walks: EncounterWalks, lanes: Lanes) -> None:
        self._walks = walks
        self._lanes = lanes
        self._channels: dict[int, tuple[ShownChannel, list[Any], list[str], list[str]]] = {}
        self._times: dict[bytes, str | None] = {}
        self._statuses: dict[int, list[str]] = {}

    def read(self, rows: Sequence[EncounterRow]) -> list[Sequence[Any]]:
        """Return the values of each of `OBSERVATION_COLUMNS`."""
        if not rows:
            return [[] for _ in OBSERVATION_COLUMNS]
        lanes, sequences, positions, _, channel_ids, observed, uncertain, received, *others = islice(
            zip(*rows, strict=False), _FIELDS
        )
        numbers, values, _, statuses, device_times, stored, clocks, monotonic = others
        for channel_id in set(channel_ids) - self._channels.keys():
            self._channels[channel_id] = self._channel(channel_id)
        for status in set(statuses) - self._statuses.keys():
            self._statuses[status] = list(status_names(status))
        channels = list(map(self._channels.__getitem__, channel_ids))
        if any(clocks):
            corrected = [
                self._walks.time_of(*each)
                for each in zip(observed, uncertain, device_times, clocks, monotonic, strict=True)
            ]
            observed, uncertain = zip(*corrected, strict=True)
        flags = [
            plain if number is None or shown.low <= number <= shown.high else implausible
            for (shown, _, plain, implausible), number in zip(channels, numbers, strict=True)
        ]
        other: list[str | None] = [None] * len(rows)
        for place, value in enumerate(values):
            if value is not None:
                text, named = channels[place][0].special(value)
                other[place], flags[place] = _other(text), orjson.loads(named)
        posted = [lane == API_LANE_ID for lane in lanes]
        provenance = [_NOTHING if each else self._lanes[lane] for lane, each in zip(lanes, posted, strict=True)]
        return [
            *zip(*(shared for _, shared, _, _ in channels), strict=True),
            # A value with an entry in the column `value` has no number.
            numbers,
            other,
            observed,
            [None if each is None else -(-each // 1000) for each in uncertain],
            received,
            [None if each is None else self._time(each) for each in device_times],
            list(map(bool, stored)),
            [None if each is None else not each for each in clocks],
            list(map(self._statuses.__getitem__, statuses)),
            flags,
            ["api" if each else "vehicle" for each in posted],
            [public_id(number) if each else None for number, each in zip(sequences, posted, strict=True)],
            *zip(*provenance, strict=True),
            [None if each else number for number, each in zip(sequences, posted, strict=True)],
            [None if each else number for number, each in zip(positions, posted, strict=True)],
        ]

    def _channel(self, channel_id: int) -> tuple[ShownChannel, list[Any], list[str], list[str]]:
        channel = self._walks.channels[channel_id]
        shown = ShownChannel.of(channel)
        return (
            shown,
            list(described(channel).values()),
            orjson.loads(shown.flags),
            orjson.loads(shown.flags_implausible),
        )

    def _time(self, column: bytes) -> str | None:
        if column not in self._times:
            self._times.clear()  # the values of one report have the same time
            time = time_of(column)
            self._times[column] = None if time is None else time.text()
        return self._times[column]


def _other(text: str) -> str | None:
    """Return a value that is not a number: the text of a JSON string, None for null, and otherwise the JSON text."""
    value = orjson.loads(text)
    return value if value is None or isinstance(value, str) else text
