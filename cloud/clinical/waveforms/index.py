"""The rows of the index of packed waveforms: objects, runs, and the sources of each run.

The number of statements depends neither on the number of runs nor on that of their lanes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    tuple_,
    update,
)

from cloud.clinical.waveforms.ages import ANNOUNCED_US
from cloud.clinical.waveforms.runs import RUN_SPAN_US, Run, SourceSpan, StoredRun
from cloud.clinical.waveforms.tables import waveform_objects, waveform_runs, waveform_sources
from cloud.foundation.db import GivenRows, Prepared, Records, Transaction, given, insert
from cloud.foundation.objects import ListedObject, StoredObject

_RUNS = Records(Run, waveform_runs)
_SPANS = Records(SourceSpan, waveform_sources)

_OBJECT = ("tenant_id", "name", "size_bytes", "sha256", "stored_at_us")
_new = GivenRows(
    "new", tenant_id=Text(), name=Text(), size_bytes=BigInteger(), sha256=Text(), stored_at_us=BigInteger()
)
_ADD_OBJECTS = Prepared(
    insert(waveform_objects)
    .from_select(
        _OBJECT,
        # SQLite parses `ON` after a SELECT without WHERE as a join.
        select(*(_new.c(name) for name in _OBJECT)).select_from(_new.source).where(_new.c("name").is_not(None)),
    )
    .on_conflict_do_nothing()
)
_named = GivenRows("named", name=Text())
_FIND_OBJECTS = Prepared(
    select(waveform_objects.c.name, waveform_objects.c.object_id).where(
        _named.among(waveform_objects.c.name, _named.c("name"))
    )
)
_near = GivenRows("near", lane_id=BigInteger(), low=BigInteger(), high=BigInteger())


def is_near_run(near: GivenRows) -> ColumnElement[bool]:
    """Return the condition that a run has a sequence number of one of the given ranges, which have the columns
    `lane_id`, `low` and `high`. Runs do not overlap, so the run that holds `low` is the last one that begins at or
    before it: one look-up."""
    runs, earlier = waveform_runs.c, waveform_runs.alias("earlier").c
    first = (
        select(func.max(earlier.sequence))
        .where(earlier.lane_id == near.c("lane_id"), earlier.sequence <= near.c("low"))
        .scalar_subquery()
    )
    return and_(
        runs.lane_id == near.c("lane_id"),
        runs.sequence >= func.coalesce(first, near.c("low")),
        runs.sequence <= near.c("high"),
        runs.through_sequence >= near.c("low"),
    )


_OVERLAPPING = Prepared(select(*_RUNS.columns).where(is_near_run(_near)))
_judged = GivenRows("judged", lane_id=BigInteger(), sequence=BigInteger(), link=Text())
_LINK_RUNS = Prepared(
    update(waveform_runs)
    .where(waveform_runs.c.lane_id == _judged.c("lane_id"), waveform_runs.c.sequence == _judged.c("sequence"))
    .values(link=_judged.c("link"))
)
_OF_LANE = Prepared(
    select(*_RUNS.columns, waveform_objects.c.name)
    .join(waveform_objects, waveform_objects.c.object_id == waveform_runs.c.object_id)
    .where(waveform_runs.c.lane_id == bindparam("of_lane_id"))
    .where(waveform_runs.c.sequence > bindparam("after", type_=BigInteger))
    .order_by(waveform_runs.c.sequence)
    .limit(bindparam("most", type_=BigInteger))
)

_spans = waveform_sources.c
_OF_SOURCE = (
    _spans.source_id == bindparam("of_source", type_=BigInteger()),
    _spans.from_us >= bindparam("from_us", type_=BigInteger()) - RUN_SPAN_US,
    _spans.from_us < bindparam("until_us", type_=BigInteger()),
    _spans.until_us >= bindparam("from_us", type_=BigInteger()),
)
_OBJECTS = Prepared(
    select(
        waveform_objects.c.object_id,
        waveform_objects.c.name,
        waveform_objects.c.size_bytes,
        func.min(_spans.from_us),
        func.max(_spans.until_us),
    )
    .select_from(waveform_sources)
    .join(
        waveform_runs,
        and_(waveform_runs.c.lane_id == _spans.lane_id, waveform_runs.c.sequence == _spans.sequence),
    )
    .join(waveform_objects, waveform_objects.c.object_id == waveform_runs.c.object_id)
    .where(*_OF_SOURCE)
    .group_by(waveform_objects.c.object_id, waveform_objects.c.name, waveform_objects.c.size_bytes)
)
_NTH_RUN = Prepared(
    select(_spans.from_us)
    .where(*_OF_SOURCE)
    .order_by(_spans.from_us)
    .offset(bindparam("count", type_=BigInteger()))
    .limit(1)
)
_FIRST_ON_CLOCK = Prepared(select(_spans.from_us).where(*_OF_SOURCE, _spans.clock_id > literal_column("0")).limit(1))

_moved = GivenRows("moved", lane_id=BigInteger(), sequence=BigInteger(), position=BigInteger())
_MOVE_RUNS = Prepared(
    update(waveform_runs)
    .where(waveform_runs.c.lane_id == _moved.c("lane_id"), waveform_runs.c.sequence == _moved.c("sequence"))
    .values(position=_moved.c("position"), object_id=bindparam("to_object", type_=BigInteger))
)

Place = tuple[int, int, int]
"""Position of a run in a walk: its earliest time, its lane id, and its first sequence number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveformObject:
    """A stored object of packed waveforms."""

    tenant_id: str
    stored: StoredObject
    stored_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOfSource:
    """The runs of one source by one clock of the gateway. `by_monotonic`: in the order of that clock's own time."""

    source_id: int
    clock_id: int
    by_monotonic: bool

    @property
    def before_all(self) -> Place:
        return (-(1 << 63), 0, 0)

    def extent(self) -> Select[tuple[object, ...]]:
        """Return the query of the beginning of the first run and the latest time of the last one: in both orders the
        first row of an index."""
        begin, end = self._times
        mine = (waveform_sources.c.source_id == self.source_id, waveform_sources.c.clock_id == self.clock_id)
        first = select(begin).where(*mine).order_by(begin).limit(1).scalar_subquery()
        return select(first, end).where(*mine).order_by(begin.desc()).limit(1)

    @property
    def _times(self) -> tuple[ColumnElement[int], ColumnElement[int]]:
        spans = waveform_sources.c
        if self.by_monotonic:
            return spans.monotonic_from_us, spans.monotonic_until_us
        return spans.from_us, spans.until_us

    def page(self, after: Place, since_us: int | None, limit: int) -> Select[tuple[object, ...]]:
        """Return the query of the next page of runs, in the order of their earliest times on the chosen clock: time of
        the place, name of the object, columns of the run. `since_us`: only runs that end at this time or later."""
        spans = waveform_sources.c
        begin, end = self._times
        late = [] if since_us is None else [begin >= since_us - RUN_SPAN_US, end >= since_us]
        place = (begin, spans.lane_id, spans.sequence)
        same = and_(waveform_runs.c.lane_id == spans.lane_id, waveform_runs.c.sequence == spans.sequence)
        return (
            select(begin, waveform_objects.c.name, *_RUNS.columns)
            .select_from(waveform_sources)
            .join(waveform_runs, same)
            .join(waveform_objects, waveform_objects.c.object_id == waveform_runs.c.object_id)
            .where(spans.source_id == self.source_id, spans.clock_id == self.clock_id, *late)
            .where(tuple_(*place) > after)
            .order_by(*place)
            .limit(limit)
        )


@dataclass(frozen=True, slots=True)
class ObjectOfSource:
    """An object with runs of a source, and the earliest and latest time of an observation of the source in it."""

    object_id: int
    object: ListedObject
    from_us: int
    until_us: int


class WaveformIndex:
    """SQL statements on the index of packed waveforms."""

    async def add_objects(self, tx: Transaction, objects: Sequence[WaveformObject]) -> dict[str, int]:
        """Add the rows of objects that have none yet; return the id of each object by its name."""
        rows = [
            (one.tenant_id, one.stored.name, one.stored.size_bytes, one.stored.sha256.hex(), one.stored_at_us)
            for one in objects
        ]
        await tx.driver.run(_ADD_OBJECTS, {"new": given(rows)})
        names = [(one.stored.name,) for one in objects]
        return {str(name): int(id_) for name, id_ in await tx.driver.rows(_FIND_OBJECTS, {"named": given(names)})}

    async def append(self, tx: Transaction, runs: Mapping[Run, Iterable[SourceSpan]]) -> None:
        """Add runs with what they have of each source. The call fails as a whole when one is already stored."""
        if not runs:
            return
        names = tuple(column.name for column in _RUNS.columns)
        await tx.driver.append(waveform_runs, names, [_RUNS.row(run) for run in runs])
        columns = ("lane_id", "sequence", *(column.name for column in _SPANS.columns))
        rows = [(run.lane_id, run.sequence, *_SPANS.row(span)) for run, spans in runs.items() for span in spans]
        if rows:
            await tx.driver.append(waveform_sources, columns, rows)

    async def overlapping(self, tx: Transaction, ranges: Sequence[tuple[int, int, int]]) -> list[Run]:
        """Return the runs that have a sequence number of one of `ranges`: lane id, first and last sequence number."""
        rows = await tx.driver.rows(_OVERLAPPING, {"near": given(ranges)}) if ranges else ()
        return [_run(row) for row in dict.fromkeys(map(tuple, rows))]

    async def resolve(self, tx: Transaction, links: Sequence[tuple[int, int, str]]) -> None:
        """Store the new link states of runs: lane id, first sequence number, state. Others are ignored."""
        if links:
            await tx.driver.run(_LINK_RUNS, {"judged": given(links)})

    async def of_lane(self, tx: Transaction, lane_id: int, *, after: int, limit: int) -> list[StoredRun]:
        """Return the next runs of a lane that begin after the sequence number `after`."""
        values = {"of_lane_id": lane_id, "after": after, "most": limit}
        return [StoredRun(_run(row), name) for *row, name in await tx.driver.rows(_OF_LANE, values)]

    async def of_clock(
        self, tx: Transaction, clock: ClockOfSource, *, after: Place, since_us: int | None, limit: int
    ) -> list[tuple[Place, StoredRun]]:
        """Return the next runs of one source by one clock, each with its place."""
        found: list[tuple[Place, StoredRun]] = []
        for begin, name, *row in await tx.execute(clock.page(after, since_us, limit)):
            run = _run(row)
            found.append(((begin, run.lane_id, run.sequence), StoredRun(run, name)))
        return found

    async def objects_of_source(
        self, tx: Transaction, source_id: int, from_us: int, until_us: int
    ) -> list[ObjectOfSource]:
        """Return the objects that have observations of a source in [`from_us`, `until_us`), by their own times."""
        values = {"of_source": source_id, "from_us": from_us, "until_us": until_us}
        rows = await tx.driver.rows(_OBJECTS, values)
        return [
            ObjectOfSource(object_id, ListedObject(name, size_bytes), first, last)
            for object_id, name, size_bytes, first, last in rows
        ]

    async def nth_run(self, tx: Transaction, source_id: int, from_us: int, until_us: int, count: int) -> int | None:
        """Return the beginning of the run of a source that follows `count` others in [`from_us`, `until_us`), or
        None."""
        values = {"of_source": source_id, "from_us": from_us, "until_us": until_us, "count": count}
        rows = await tx.driver.rows(_NTH_RUN, values)
        return int(rows[0][0]) if rows else None

    async def has_own_clock(self, tx: Transaction, source_id: int, from_us: int, until_us: int) -> bool:
        """Return whether a source has observations in [`from_us`, `until_us`) whose time the gateway did not know."""
        values = {"of_source": source_id, "from_us": from_us, "until_us": until_us}
        return bool(await tx.driver.rows(_FIRST_ON_CLOCK, values))

    async def extent(self, tx: Transaction, clock: ClockOfSource) -> tuple[int, int] | None:
        """Return the beginning of the first run and the end of the last one of a source by one clock, or None."""
        rows = await tx.execute(clock.extent())
        row = rows.first()
        return None if row is None or row[0] is None else (int(row[0]), int(row[1]))

    async def places(
        self,
        tx: Transaction,
        source_id: int,
        clock_id: int | None,
        apart: Collection[int],
        *,
        after: Place,
        before_us: int,
        limit: int,
    ) -> list[tuple[Place, int]]:
        """Return the places of the next runs of one source that begin before `before_us`, each with its latest time.
        `clock_id` None: by observed time, without the runs on the clocks `apart`; otherwise by the time on this clock.
        """
        spans = waveform_sources.c
        begin, end, of_clock = spans.monotonic_from_us, spans.monotonic_until_us, spans.clock_id == clock_id
        if clock_id is None:
            begin, end, of_clock = spans.from_us, spans.until_us, spans.clock_id.not_in(apart)
        place = (begin, spans.lane_id, spans.sequence)
        statement = (
            select(*place, end)
            .where(spans.source_id == source_id, of_clock, begin < before_us, tuple_(*place) > after)
            .order_by(*place)
            .limit(limit)
        )
        return [((row[0], row[1], row[2]), row[3]) for row in await tx.execute(statement)]

    async def find(self, tx: Transaction, lane_id: int, sequence: int) -> StoredRun | None:
        """Return the run that begins with this sequence number, or None."""
        found = await self.of_lane(tx, lane_id, after=sequence - 1, limit=1)
        return found[0] if found and found[0].run.sequence == sequence else None

    async def remove(self, tx: Transaction, lane_id: int, runs: Sequence[Run], now_us: int) -> None:
        """Delete runs of one lane, and mark the objects that no run needs any more as unused."""
        sequences = [run.sequence for run in runs]
        for table in (waveform_sources, waveform_runs):
            await tx.execute(delete(table).where(table.c.lane_id == lane_id, table.c.sequence.in_(sequences)))
        used = select(waveform_runs.c.object_id).where(waveform_runs.c.object_id == waveform_objects.c.object_id)
        emptied = waveform_objects.c.object_id.in_(sorted({run.object_id for run in runs}))
        await tx.execute(update(waveform_objects).where(emptied, ~used.exists()).values(unused_us=now_us))

    async def unused(self, tx: Transaction, now_us: int, limit: int) -> list[str]:
        """Return the names of objects that no run needs, longest unused first. Announced ones are left out."""
        rows = waveform_objects.c
        due = (rows.unused_us <= now_us, rows.unused_us != rows.stored_at_us + ANNOUNCED_US)
        found = select(rows.name).where(*due).order_by(rows.unused_us).limit(limit)
        return [row.name for row in await tx.execute(found)]

    async def forget(self, tx: Transaction, names: Collection[str]) -> None:
        """Delete the rows of objects that were removed."""
        await tx.execute(delete(waveform_objects).where(waveform_objects.c.name.in_(sorted(names))))

    async def divide(
        self, tx: Transaction, run: Run, pieces: Mapping[Run, Iterable[SourceSpan]], unused_us: int
    ) -> None:
        """Put `pieces`, the parts of a run that are left, in its place. If its object has no other run, the object is
        unused from `unused_us` on."""
        for table in (waveform_sources, waveform_runs):
            await tx.execute(delete(table).where(table.c.lane_id == run.lane_id, table.c.sequence == run.sequence))
        await self.append(tx, pieces)
        used = select(waveform_runs.c.object_id).where(waveform_runs.c.object_id == run.object_id)
        emptied = (waveform_objects.c.object_id == run.object_id, ~used.exists())
        await tx.execute(update(waveform_objects).where(*emptied).values(unused_us=unused_us))

    async def object_named(self, tx: Transaction, name: str) -> int | None:
        """Return the id of an object that has runs, and lock its row until `tx` ends; None if no run needs it."""
        rows = waveform_objects.c
        mine = select(rows.object_id).where(rows.name == name, rows.unused_us.is_(None)).with_for_update()
        found = (await tx.execute(mine)).scalar()
        return None if found is None else int(found)

    async def runs_in(self, tx: Transaction, name: str) -> list[Run]:
        """Return the runs of an object, in the order of lanes and sequence numbers."""
        runs = waveform_runs.c
        joined = _RUNS.select().join(waveform_objects, waveform_objects.c.object_id == runs.object_id)
        found = await tx.execute(joined.where(waveform_objects.c.name == name).order_by(runs.lane_id, runs.sequence))
        return [_run(row) for row in found]

    async def names_of(self, tx: Transaction, runs: Collection[Run]) -> set[str]:
        """Return the names of the objects of these runs."""
        rows = waveform_objects.c
        mine = rows.object_id.in_(sorted({run.object_id for run in runs}))
        return {row.name for row in await tx.execute(select(rows.name).where(mine))}

    async def move_runs(
        self, tx: Transaction, object_id: int, rewritten: WaveformObject, moved: Mapping[int, int], unused_us: int
    ) -> None:
        """Let the runs of a locked object refer to the rewritten one, in which the entry at each position is `moved`.
        The former object is unused from `unused_us` on."""
        ids = await self.add_objects(tx, [rewritten])
        runs = waveform_runs.c
        found = await tx.execute(select(runs.lane_id, runs.sequence, runs.position).where(runs.object_id == object_id))
        places = [(row.lane_id, row.sequence, moved[row.position]) for row in found]
        await tx.driver.run(_MOVE_RUNS, {"moved": given(places), "to_object": ids[rewritten.stored.name]})
        former = waveform_objects.c.object_id == object_id
        await tx.execute(update(waveform_objects).where(former).values(unused_us=unused_us))

    async def size_bytes(self, tx: Transaction) -> int:
        """Return the bytes of all objects. All their rows are read: some tenths of a second for a million."""
        return int((await tx.execute(select(func.coalesce(func.sum(waveform_objects.c.size_bytes), 0)))).scalar())

    async def known_names(self, tx: Transaction, names: Collection[str]) -> set[str]:
        """Return those of `names` that are objects of the index."""
        if not names:
            return set()
        rows = await tx.driver.rows(_FIND_OBJECTS, {"named": given([(name,) for name in sorted(names)])})
        return {name for name, _ in rows}


def _run(row: Sequence[object]) -> Run:
    return _RUNS.read([bytes(value) if isinstance(value, memoryview) else value for value in row])
