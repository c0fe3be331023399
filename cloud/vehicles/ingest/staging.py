"""Stage live batches: make them durable in an object and acknowledge them, and write their rows together later.

A commit for each quarter of a second writes the last page of each table and index again, for each lane of each vehicle.
Objects of the same batches are written once. So while the load is low, live numerics and waveforms are staged, and the
rows of two minutes are written in one go: a tenth of the bytes. The database is then always consistent and at most as
much behind, and what is acknowledged beyond it is in the staged objects. Readers let the rows be written first
(`Ingest.settle` and `cloud.foundation.arrivals`), and so does a process that starts after another one was killed.

Ingest writes staged batches by the same code as all others, which recognises those that are written already. So any
process may write the batches of any staged object at any time, and then remove the object.

The batches of a lane keep their order: one that may not be staged waits for the object of those before it, and until it
is written none behind it is staged: they wait for it (`pending_lanes`).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, DatabaseUnavailable, DatabaseUnusable
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore, ObjectStoreUnavailable
from cloud.vehicles.custody import FIRST_SEQUENCE, LaneKey, LaneMarks
from cloud.vehicles.ingest.acks import ack_of
from cloud.vehicles.ingest.delivery_group import Group, group_of, joined, rows_of
from cloud.vehicles.ingest.lane_tails import LaneTails
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.live_queue import BATCHES_FULL, ROWS_FULL
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.outage import Outage
from cloud.vehicles.ingest.pending_lanes import PendingLanes
from cloud.vehicles.ingest.settled_gateways import SettledGateways
from cloud.vehicles.ingest.source import DueAck
from cloud.vehicles.ingest.staged_envelopes import StagedEnvelope, StagedEnvelopes, staged_batch_of
from cloud.vehicles.ingest.staged_object import StagedObject, encode_staged, new_staged_name
from cloud.vehicles.ingest.staging_periods import OwnPeriod
from cloud.vehicles.ingest.staging_room import SHARES, Share, StagingRoom

log = structlog.get_logger()

PUT_S_MAX = 1.0
"""Longest time for which live batches wait for their object. After it they are written to the database instead, as are
those that arrive during the outage that may follow (`outage`)."""
GATEWAY_BYTES_MAX = 1 << 20
"""Bytes of the envelopes of one gateway for one object, with which nothing of it is added, and a quarter of those of
all (`staging_room`). With one more batch, which has 1 MiB at most, it is far smaller than a staged object may be."""
GATEWAY_BATCHES_MAX = 2 * BATCHES_FULL
"""The same for batches. An object begins to be put when it has `BATCHES_FULL`, but those that arrive while the one
before is put join it: to write them at once would cost several times as much, when there is least time for it."""
GATEWAY_ROWS_MAX = 16_000
"""The same for rows. An object may have those of a second of eight hundred vehicles. An envelope of some hundred bytes
may unpack to 65 536, and what is acknowledged from an object is written whatever the quotas of its gateway."""

Send = Callable[[Sequence[DueAck]], Awaitable[None]]
WriteAtOnce = Callable[[Group], Awaitable[None]]


class Stage:
    """The staged batches of one process."""

    def __init__(
        self,
        objects: ObjectStore,
        database: Database,
        clock: Clock,
        ids: Ids,
        settings: IngestSettings,
        *,
        lanes_move: bool = False,
    ) -> None:
        """`lanes_move`: lanes may move among the processes without a sign (`settled_gateways`)."""
        self.objects = objects
        self.period = OwnPeriod(database, clock, ids)
        self.outage = Outage()
        self.unwritten = StagedEnvelopes(settings.stage_s)
        self.settled = SettledGateways(lanes_move=lanes_move)
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._tails = LaneTails()
        self._queued = Group()
        self._room = StagingRoom()
        """The sizes of the batches in `_queued`."""
        self._behind = Group()
        self._repeated = Group()
        """Batches that were staged before."""
        self._pending = PendingLanes()
        self._owed: dict[LaneKey, DueAck] = {}
        self._staging: Counter[LaneKey] = Counter()
        """The number of the batches of each lane in `_queued` or `_behind`, or in the object that is being put."""
        self._at_once: Counter[LaneKey] = Counter()
        """Lanes with batches that are not staged, and not written yet."""
        self._putting: set[str] = set()
        self._work = asyncio.Event()
        self._full = asyncio.Event()

    @property
    def names(self) -> frozenset[str]:
        """The names of the objects that this process stages or has staged, and has not written the rows of."""
        return self.unwritten.object_names | self._putting

    async def wait_for_room(self) -> None:
        """Wait until more batches may be staged, but not for long, and not during an outage of the object store."""
        if not self.outage.lasts:
            await self.unwritten.wait_for_room()

    def admit(self, group: Group, *, waits: bool = True) -> None:
        """Remove from a group the batches that may be staged, now or, if it `waits`, after others of their lanes are
        written, and those of their lanes that follow them. Add those that have waited and do so no longer. The caller
        writes the group, and calls `learn` or `let_go` with it."""
        staged: list[Opened] = []
        behind: list[Opened] = []
        waiting: list[Opened] = []
        released: list[Opened] = []
        repeated: list[Opened] = []
        for one in group.opened:
            key = one.lane_key
            if self._tails.has(one) and (key in self._staging or self.unwritten.has(key)):
                # From memory, since the next rows of the lane are compared with the database, so what it lacks is
                # reported. A lane without such rows is not: the database may have been restored from a copy, after
                # which another process responded to the status of the gateway.
                repeated.append(one)
                continue
            has_room = self._has_room(one)
            if waits and has_room and self._at_once[key] and self._pending.add(one):
                waiting.append(one)
                continue
            if has_room and not self._at_once[key] and self._tails.add(one):
                staged.append(one)
                self._staging[key] += 1
                self._room.add(one.gateway_name, len(one.delivery.octets), rows_of(one))
                self._queued.observations += rows_of(one)
                self._queued.opened.append(one)
                continue
            self._tails.forget([key])
            earlier = self._pending.release(one)
            released += earlier
            for each in (*earlier, one):
                self._begin_at_once(each)
                if key in self._staging:
                    behind.append(each)
                    self._staging[key] += 1
        if repeated:
            self._repeated = joined([self._repeated, group.extract(repeated)])
            self._work.set()
        if waiting:
            group.extract(waiting)
        if released:
            group.add(released)
        if staged:
            self._queued.deliveries += group.extract(staged).deliveries
        if behind:
            self._behind = joined([self._behind, group.extract(behind)])
        if staged or behind:
            self._work.set()
        if behind or (staged and self._is_full()):
            self._full.set()

    def learn(self, group: Group, acks: Sequence[DueAck]) -> None:
        """Note that a group was written at once, with these acknowledgements."""
        self._end_at_once(group)
        self._tails.learn([one for one in group.opened if not self._at_once[one.lane_key]], acks)
        if group.statuses:
            self._forget_lost(acks)
        self._admit_pending(group)

    def let_go(self, group: Group) -> None:
        """Note that a group is neither staged nor written."""
        self._end_at_once(group)
        self._admit_pending(group)

    def _forget_lost(self, acks: Iterable[DueAck]) -> None:
        """Forget the ends of lanes of which the database has less than was acknowledged: it was restored from a copy,
        or another server took over that lacks the last changes. Their vehicles send again what it lacks after these
        acknowledgements, and that must not be acknowledged from memory. Without effect on the others: batches that are
        not durable yet are not in an acknowledgement."""
        for due in acks:
            end = self._tails.end(due.lane_key)
            if end is not None and due.ack.through_sequence < end[0] - self._staging[due.lane_key]:
                self._tails.forget([due.lane_key])

    def _begin_at_once(self, one: Opened) -> None:
        self._at_once[one.lane_key] += 1
        self._pending.begin(one)

    def _end_at_once(self, group: Group) -> None:
        self._at_once.subtract(one.lane_key for one in group.opened)
        self._at_once = +self._at_once

    def _admit_pending(self, group: Group) -> None:
        """Admit the batches that waited for a group, before any that follow them."""
        waited = self._pending.end(
            dict.fromkeys(one.lane_key for one in group.opened if not self._at_once[one.lane_key])
        )
        if waited:
            again = group_of(waited)
            self.admit(again, waits=False)
            if again.deliveries:
                # As behind staged ones, so that none of their lanes overtakes them until the next turn.
                self._staging.update(one.lane_key for one in again.opened)
                self._behind = joined([self._behind, again])
                self._work.set()

    def correct(self, faulty: Iterable[LaneKey], acks: Sequence[DueAck]) -> None:
        """Note that the database does not have all staged batches of some lanes, or has others in their place: the next
        ones are written at once, and `acks` are sent, which list what is missing or contested."""
        self._tails.forget(faulty)
        for due in acks:
            self._owed[due.lane_key] = due
        if self._owed:
            self._work.set()

    async def run(self, send: Send, write_at_once: WriteAtOnce) -> None:
        """Stage the queued batches and acknowledge them, until cancelled. Batches of a third of a second share an
        object."""
        next_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_s):
                    await self._full.wait()
            next_s = loop.time() + self._settings.stage_wait_s
            await self.turn(send, write_at_once)

    async def turn(self, send: Send, write_at_once: WriteAtOnce) -> None:
        """Stage the batches that are queued now. If the object store is unavailable, `write_at_once` gets them, and
        those that arrived meanwhile: what is acknowledged must not follow a batch that is not durable. It also gets
        those that follow staged ones of their lanes, or have waited and may not be staged."""
        owed, self._owed = list(self._owed.values()), {}
        repeated, self._repeated = self._repeated, Group()
        group, behind = self._take_queued()
        if owed:
            await send(owed)
        if repeated.deliveries:
            await self._acknowledge_again(repeated, send)
        if group.opened and await self._make_durable(group):
            self._end_staging(one.lane_key for one in group.opened)
            await send(self._acks_of(group.opened))
            for delivery in group.deliveries:
                await delivery.accept()
        elif group.opened:
            late, behind_late = self._take_queued()
            unstaged = joined([group, late])
            self._tails.forget(one.lane_key for one in unstaged.opened)
            for one in unstaged.opened:
                self._begin_at_once(one)
            behind = joined([group, behind, late, behind_late])
        if behind.deliveries:
            lanes = [one.lane_key for one in behind.opened]  # before others divide the group
            await write_at_once(behind)
            self._end_staging(lanes)

    async def _acknowledge_again(self, repeated: Group, send: Send) -> None:
        """Acknowledge lanes whose batches were sent again, but for those that will be acknowledged with an object."""
        keys = dict.fromkeys(one.lane_key for one in repeated.opened if one.lane_key not in self._staging)
        await send([_ack(key, *end) for key in keys if (end := self._tails.end(key)) is not None])
        for delivery in repeated.deliveries:
            await delivery.accept()

    def _take_queued(self) -> tuple[Group, Group]:
        """Remove and return the queued batches that are staged, and those that follow them."""
        group, self._queued, self._room = self._queued, Group(), StagingRoom()
        behind, self._behind = self._behind, Group()
        self._full.clear()
        if not self._owed and not self._repeated.deliveries:  # which may have come since the turn began
            self._work.clear()
        return group, behind

    def _end_staging(self, lanes: Iterable[LaneKey]) -> None:
        """Note for each batch the lane of one that is in an object, or queued to be written."""
        self._staging.subtract(lanes)
        self._staging = +self._staging

    async def _make_durable(self, group: Group) -> bool:
        """Put the batches of a group into an object, from which they are acknowledged. Return False if the object store
        is not available, or the database, in which readers find that batches are staged."""
        now_us, name = self._clock.now_us(), new_staged_name(self._ids)
        staged = StagedObject(now_us, [staged_batch_of(one) for one in group.opened])
        self._putting.add(name)
        try:
            data = await asyncio.to_thread(encode_staged, staged)  # compressing 7 MB takes some hundredths of a second
            await self.period.begin()
            async with asyncio.timeout(PUT_S_MAX):
                await self.objects.put(name, data)
            self.outage.note_put()
            await self.period.begin_unrequested()  # the one before may have ended meanwhile
            self.unwritten.add([StagedEnvelope.of(one, name, now_us) for one in group.opened])
        except (ObjectStoreUnavailable, DatabaseUnavailable, DatabaseUnusable, TimeoutError) as error:
            if isinstance(error, ObjectStoreUnavailable):
                self.outage.begin()
            elif isinstance(error, TimeoutError):
                self.outage.note_stall()
            log.warning("ingest.batches_unstaged", batches=len(group.opened), error=type(error).__name__)
            return False
        finally:
            self._putting.discard(name)
        return True

    def _acks_of(self, opened: Sequence[Opened]) -> list[DueAck]:
        """Return one acknowledgement for each lane (numbered stream of batches): all its batches up to the last one of
        the group are stored, since a batch is staged only behind the last one that was stored. A lane that turned out
        to lack some meanwhile is acknowledged when its next batch is written."""
        last = {one.lane_key: one for one in opened if self._tails.knows(one.lane_key)}
        return [_ack(key, one.batch.sequence, one.hash) for key, one in last.items()]

    def _is_full(self) -> bool:
        return (
            len(self._queued.opened) >= BATCHES_FULL
            or self._queued.observations >= ROWS_FULL
            or self._room.bytes >= SHARES * GATEWAY_BYTES_MAX
        )

    def _has_room(self, one: Opened) -> bool:
        """Return whether another batch may be staged. With too many staged batches, or while an outage of the object
        store lasts, it is written at once."""
        share = Share(GATEWAY_BYTES_MAX, GATEWAY_ROWS_MAX, GATEWAY_BATCHES_MAX)
        return (
            self._room.has_room(one.gateway_name, share, len(one.delivery.octets), rows_of(one))
            and self.unwritten.has_room_for(one)
            and not self.outage.lasts
        )


def _ack(key: LaneKey, through: int, through_hash: bytes) -> DueAck:
    marks = LaneMarks().adding(FIRST_SEQUENCE, through)
    ack = ack_of(key.epoch, key.lane, marks, contested=False, through_hash=through_hash)
    return DueAck(key.tenant_id, key.gateway_id, ack)
