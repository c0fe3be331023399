"""Walk through the observations of an encounter in the order of time, across its devices, a page at a time.

A walk covers one source in one interval by one clock of the gateway, or the observations that an application posted to
the encounter. `EncounterWalks` merges them. A page continues behind a `Place`, so a client may stop and go on at any
time, and a page needs no more memory than its rows. Rows are tuples in the order of `FIELDS`, as the driver returns
them, since objects would take longer than the query.

The choice of channels is a condition of the query. So that a query for a rare channel does not read a whole encounter,
it first limits the range of rows that it looks at (`SCAN_ROWS`).
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from cloud.clinical.observations.clocks import KnownClock, clocks_of_sources
from cloud.clinical.observations.encounter_channels import DeviceChannel, channels_by_id, channels_of_sources
from cloud.clinical.observations.encounter_queries import (
    EXTENT,
    FIELDS,
    bound_values,
    posted_statement,
    source_statements,
)
from cloud.clinical.observations.encounter_sources import (
    EncounterSource,
    sources_in_minutes,
    sources_of_encounter,
    viewer_values,
)
from cloud.clinical.observations.minutes.reading import TIME_MAX_US, TIME_MIN_US, MinuteSelection
from cloud.clinical.observations.packed_walk import Place
from cloud.clinical.observations.rows import time_of
from cloud.foundation.db import Prepared, Query, Transaction, given
from cloud.foundation.viewer import Viewer
from protocols.observation_record import anchored_time

SCAN_ROWS = 20_000
"""Rows at which one query for some channels looks: some hundredths of a second."""
SINGLE_ROWS_LEAST = 64
"""Rows that a walk reads at least, so that an encounter with many devices needs few queries."""
ROUNDS_MAX = 8
"""Reads of each walk for one page, which limits what a page costs: a rare channel in a long encounter takes several
pages."""
MINUTE_ROWS = 16
"""Minute rows of one read: about a thousand values."""

BEFORE_ALL: Place = (TIME_MIN_US, 0, -1, 0)
_LAST_IN_TIME = (TIME_MAX_US, (1 << 31) - 1, TIME_MAX_US)
_SEQUENCE, _POSITION, _LANE = FIELDS.index("sequence"), FIELDS.index("position"), FIELDS.index("lane_id")
_CHANNEL = FIELDS.index("channel_id")
_OBSERVED, _MONOTONIC = FIELDS.index("observed_at_us"), FIELDS.index("monotonic_us")

EncounterRow = Sequence[Any]
"""A row in the order of `FIELDS`."""
Placed = tuple[Place, EncounterRow]

_place = itemgetter(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The observations to read: from `from_us` until before `until_us`, of one device (None: of all), and of the
    channels that `channels` accepts. `codes` are the codes of observations that applications posted to the encounter
    (None: all), if `posted`."""

    from_us: int = TIME_MIN_US
    until_us: int = TIME_MAX_US
    device_id: str | None = None
    channels: Callable[[DeviceChannel], bool]
    codes: Collection[str] | None = None
    posted: bool = True

    def has_part_of(self, source: EncounterSource) -> bool:
        in_time = source.from_us < self.until_us and source.until_us > self.from_us
        return in_time and self.device_id in (None, source.device_id)


class EncounterWalks:
    """The walks of one encounter for one viewer, made by `open_walks`. `clocks` are those of its sources by id, and
    `channels` those of the rows of the pages that were read."""

    def __init__(
        self, walks: Sequence["_Walk"], clocks: Iterable[KnownClock], channels: Iterable[DeviceChannel]
    ) -> None:
        self._walks = walks
        self.clocks = {clock.clock_id: clock for clock in clocks}
        self.channels = {channel.channel_id: channel for channel in channels}

    async def extent(self, tx: Transaction) -> tuple[int, int] | None:
        """Return the earliest and the latest time of the single rows of these walks' sources, by the synchronised wall
        clock; None if there are none. Rows of all channels count."""
        found = [each for walk in self._walks if (each := await walk.extent(tx)) is not None]
        return (min(first for first, _ in found), max(last for _, last in found)) if found else None

    def time_of(
        self,
        observed_at_us: int,
        uncertainty_us: int,
        device_time: bytes | None,
        clock_id: int | None,
        monotonic_us: int,
    ) -> tuple[int, int | None]:
        """Return the observed time of a row with these columns, and its uncertainty (None: unknown), corrected by the
        anchor of its clock (the known offset of the gateway's own clock to wall time)."""
        if not clock_id:
            return observed_at_us, uncertainty_us
        clock = self.clocks.get(clock_id)
        sent = time_of(device_time)
        return anchored_time(
            observed_at_us,
            uncertainty_us,
            monotonic_us,
            None if clock is None else clock.anchor,
            device_local_us=None if sent is None or (clock is not None and clock.device_known) else sent.local_us(),
        )

    async def page(self, tx: Transaction, after: Place, limit: int) -> tuple[list[Placed], Place | None]:
        """Return at most `limit` rows after a place, in order, and the place after which the next page begins; None if
        there are no more. A page may have fewer rows than `limit`, also none, although there are more."""
        share = max(SINGLE_ROWS_LEAST, min(limit, 2 * limit // max(1, len(self._walks))))
        found, end = await self._round(tx, after, share + 1)
        for _ in range(ROUNDS_MAX - 1):
            if end is None or len(found) >= limit:
                break
            share = min(2 * share, limit)
            more, end = await self._round(tx, end, share + 1)
            found += more
        if len(found) > limit:
            del found[limit:]
            end = found[-1][0]
        unknown = {row[_CHANNEL] for _, row in found} - self.channels.keys()
        self.channels |= {one.channel_id: one for one in await channels_by_id(tx.driver.rows, unknown)}
        return found, end

    async def _round(self, tx: Transaction, after: Place, share: int) -> tuple[list[Placed], Place | None]:
        """Read about `share` rows of each walk; return those that no other walk can still precede."""
        found: list[Placed] = []
        end: Place | None = None
        for walk in self._walks:
            rows, complete_to = await walk.page(tx, after, share)
            found += rows
            if complete_to is not None and (end is None or complete_to < end):
                end = complete_to
        if len(self._walks) > 1:
            found.sort(key=_place)
            if end is not None:
                del found[bisect_right(found, end, key=_place) :]
        return found, end


async def open_walks(query: Query, viewer: Viewer, encounter_id: str, selection: Selection) -> EncounterWalks:
    """Return the walks through these observations of an encounter. The caller must have checked that the viewer may see
    the encounter."""
    sources = [one for one in await sources_of_encounter(query, viewer, encounter_id) if selection.has_part_of(one)]
    source_ids = {source.source_id for source in sources}
    clocks = await clocks_of_sources(query, source_ids)
    in_minutes = await sources_in_minutes(query, source_ids)
    channels = await channels_of_sources(query, source_ids)
    refused = {one.source_id for one in channels if not selection.channels(one)}
    chosen: dict[int, list[int]] = {source_id: [] for source_id in refused}
    for one in channels:
        if one.source_id in refused and selection.channels(one):
            chosen[one.source_id].append(one.channel_id)
    walks: list[_Walk] = [_PostedWalk(viewer, encounter_id, selection)] if selection.posted else []
    for source in sources:
        source_id = source.source_id
        if source_id in refused and not chosen[source_id]:
            continue
        from_us, until_us = max(source.from_us, selection.from_us), min(source.until_us, selection.until_us)
        # The times of these clocks are corrected, or certainly wrong, so their own times do not count.
        apart = [clock.clock_id for clock in clocks[source_id] if clock.anchor is not None or clock.estimated]
        for clock in (None, *clocks[source_id]):
            if clock is not None and clock.anchor is None:
                continue
            offset_us = 0 if clock is None or clock.anchor is None else clock.anchor.offset_us
            clock_id = None if clock is None else clock.clock_id
            walks.append(
                _SourceWalk(
                    MinuteSelection(source_id, clock_id, apart, chosen.get(source_id)),
                    offset_us,
                    from_us - offset_us,
                    until_us - (offset_us if until_us < TIME_MAX_US else 0),
                    has_minutes=source_id in in_minutes,
                )
            )
    return EncounterWalks(walks, chain.from_iterable(clocks.values()), channels)


class _PostedWalk:
    """The observations that applications posted to the encounter by its id, whatever their devices are assigned to."""

    def __init__(self, viewer: Viewer, encounter_id: str, selection: Selection) -> None:
        self._statement = posted_statement(
            viewer.organization_id is not None, selection.device_id is not None, selection.codes is not None
        )
        self._values = {
            **viewer_values(viewer),
            "encounter": encounter_id,
            "device": selection.device_id,
            "from": selection.from_us,
            "until": selection.until_us,
            "codes": given([(one,) for one in selection.codes or ()]),
        }

    async def extent(self, tx: Transaction) -> tuple[int, int] | None:
        """Return None: a walk through posted observations is read from its beginning."""
        return None

    async def page(self, tx: Transaction, after: Place, limit: int) -> tuple[list[Placed], Place | None]:
        values = {**self._values, **bound_values("after", after), "limit": limit}
        rows = await tx.driver.rows(self._statement, values)
        found = [((row[_OBSERVED], row[_SEQUENCE], row[_POSITION], row[_LANE]), row) for row in rows]
        return found, found[-1][0] if len(found) == limit else None


class _SourceWalk:
    """The observations of one source from `from_us` until before `until_us`, which are times of the walk's own clock,
    `offset_us` before wall time."""

    def __init__(
        self, minutes: MinuteSelection, offset_us: int, from_us: int, until_us: int, *, has_minutes: bool
    ) -> None:
        self._minutes = minutes
        self._has_minutes = has_minutes
        self._offset_us = offset_us
        self._from_us = from_us
        self._until_us = until_us
        self._time = _OBSERVED if minutes.clock_id is None else _MONOTONIC
        self._values = {
            "source": minutes.source_id,
            "clock": minutes.clock_id,
            "until": until_us,
            "apart": given([(one,) for one in minutes.apart]),
            "channels": given([(one,) for one in minutes.channel_ids or ()]),
        }

    async def extent(self, tx: Transaction) -> tuple[int, int] | None:
        """Return the earliest and the latest time of the single rows of the source; None without any, and for a clock
        of the gateway's own."""
        if self._minutes.clock_id is not None:
            return None
        values = {"source": self._minutes.source_id, "from": self._from_us, "until": self._until_us}
        first, last = (await tx.driver.rows(EXTENT, values))[0]
        return None if first is None else (int(first), int(last))

    async def page(self, tx: Transaction, after: Place, limit: int) -> tuple[list[Placed], Place | None]:
        """Return rows after a place, in order, and the place to which they are complete (None: there are no more).
        Single rows and minute rows of the same transaction are merged, so that a value which moves from one to the
        other is read once."""
        begin = max((after[0] - self._offset_us, *after[1:]), (self._from_us, 0, -1, 0))
        single, end = await self._single_rows(tx, begin, limit)
        if not self._has_minutes:
            return self._placed(single, end)
        minutes = await self._minutes.page(tx, begin[0], self._until_us, rows=MINUTE_ROWS)
        complete_to = minutes.complete_to_us
        if complete_to is not None and complete_to < self._until_us:
            place = (complete_to, *_LAST_IN_TIME)
            end = place if end is None else min(end, place)
        time, until_us = self._time, self._until_us
        own = [row for row in (*single, *minutes.values) if begin[0] <= row[time] < until_us]
        own.sort(key=self._place)
        first = bisect_right(own, begin, key=self._place)
        return self._placed(own[first : None if end is None else bisect_right(own, end, key=self._place)], end)

    async def _single_rows(
        self, tx: Transaction, after: Place, limit: int
    ) -> tuple[Sequence[EncounterRow], Place | None]:
        """Return at most `limit` single rows after a place, and the place to which they are complete."""
        rows, end = self._statements
        values = {**self._values, **bound_values("after", after), "limit": limit}
        stop: Place | None = None
        if end is not None:
            last = await tx.driver.rows(end, {**values, "scan": SCAN_ROWS})
            stop = None if not last else (int(last[0][0]), *map(int, last[0][1:]))  # type: ignore[assignment]
            values |= bound_values("end", stop or (TIME_MAX_US, *_LAST_IN_TIME))
        found = await tx.driver.rows(rows, values)
        return found, self._place(found[-1]) if len(found) == limit else stop

    @property
    def _statements(self) -> tuple[Prepared, Prepared | None]:
        minutes = self._minutes
        return source_statements(minutes.clock_id is not None, bool(minutes.apart), minutes.channel_ids is not None)

    def _place(self, row: EncounterRow) -> Place:
        """Return the place of a row by the clock of the walk."""
        return (row[self._time], row[_SEQUENCE], row[_POSITION], row[_LANE])

    def _placed(self, rows: Sequence[EncounterRow], end: Place | None) -> tuple[list[Placed], Place | None]:
        """Return rows with their places by wall time."""
        time, offset_us = self._time, self._offset_us
        placed = [((row[time] + offset_us, row[_SEQUENCE], row[_POSITION], row[_LANE]), row) for row in rows]
        return placed, None if end is None else (end[0] + offset_us, *end[1:])


_Walk = _PostedWalk | _SourceWalk
