"""The one writer of the store: it commits queued items in groups and notifies the event loop once for each.

An append whose caller waits is committed within `commit_interval_s`. Live observations that no device keeps share the
commit that cuts the batches of the lanes, within `batch_s` (`open_lanes.py`).

It runs on one thread (`workers.py`), because SQLite has only one writer; so the end of each hash chain needs no lock.
Between commits it takes bounded steps of retention and recovery. It ends at the first error after which continuing
could corrupt the record, and every pending caller gets this error.
"""

import queue
import sqlite3
import time
from collections.abc import Callable

import structlog

from gateway.buffer import full_disk, losses, retention
from gateway.buffer.blocks import Block, blocks_of, check_sections, sections_by_lane
from gateway.buffer.errors import BufferClosed, StoreFull
from gateway.buffer.losses import Loss
from gateway.buffer.open_lanes import TIMED_LANES, Content, OpenLanes
from gateway.buffer.queued_items import (
    RESERVED_LANES,
    Append,
    AppendBlocks,
    Item,
    Outcome,
    Task,
    is_reserved,
    join,
    outcomes_of,
    size_of,
)
from gateway.buffer.recent_batches import batches_after
from gateway.buffer.store import Store
from gateway.buffer.workers import StoreWorkers
from protocols.errors import ProtocolError
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState

log = structlog.get_logger()


class Writer:
    """The writer. The callbacks are called on the event loop: `take` with a live append whose observations are held,
    `settle` with the outcomes of each commit, and `fail` once, with the error that ended the writer."""

    def __init__(
        self,
        store: Store,
        workers: StoreWorkers,
        *,
        take: Callable[[Append], None],
        settle: Callable[[list[Outcome]], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._store = store
        self._take = take
        self._settle = settle
        self._fail = fail
        self._queue = workers.inbox
        self._call = workers.notify
        self._carried: Item | None = None
        self._open = OpenLanes(store.settings)
        self._held: list[Append] = []
        self._alarmed = self._urgent = False
        self._ending = False
        self._tidied_s = time.monotonic()
        self._tidy_due = False
        self._abandoned = False
        self._uncounted: list[Loss] = []
        self.marks = store.marks()
        self.state = store.state

    def recent_after(self, lane: Lane, after: int, *, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """Return the complete batches of `lane` that follow the sequence number `after`, within the limits, if they are
        among those that were committed last; otherwise nothing. Any thread may call this."""
        last = self.marks[lane].last  # read first: a batch up to it grows no more
        recent = self._store.recent.get(lane, ())
        return batches_after(recent, after, last, limit_batches=limit_batches, limit_bytes=limit_bytes)

    def put(self, item: Item) -> None:
        """Queue `item`. Never blocks; the caller bounds the queue."""
        self._queue.put(item)

    def end(self) -> None:
        """Make the writer commit the queued items and end."""
        self._queue.put(None)

    def abandon(self) -> None:
        """Make the writer end without another commit, because its store has failed. The pending callers have already
        got the error."""
        self._abandoned = True

    # ---- the worker's thread

    def turn(self) -> bool:
        """Take the next queued item, or wait up to `patience_s` for one, and commit what is due. Return False when the
        writer has ended."""
        try:
            if not self._ending and not self._abandoned:
                self._turn()
                return True
            if not self._abandoned:
                self._commit([], cut=True)
                self._count_losses([])
                losses.close(self._store, all_of_them=True)
                self._write_acks()
        except Exception as error:  # the writer's end: every pending caller must be notified, whatever the error was
            # No traceback: its frames hold values and keys. The error is the cause of the error that pending callers
            # get.
            log.error("buffer.writer_failed", why=getattr(error, "sqlite_errorname", type(error).__name__))
            self._call(self._fail, error)
        return False

    def _turn(self) -> None:
        first = self._first()
        if self._abandoned:
            return
        if self._open.is_due(self._store.clock.monotonic_s()) or (isinstance(first, Task) and first.cut):
            self._commit([], cut=True)
        if isinstance(first, Task):
            self._do(first)
        elif first is not None and not self._hold(first):
            self._commit(self._group(first))
        if self._open.is_full:
            self._commit([], cut=True)
        self._tidy()

    def _first(self) -> Append | AppendBlocks | Task | None:
        """Return the next queued item that is not an acknowledgement. Acknowledgements before it are recorded first.
        Return None when no item came for a while, or when the thread is to end."""
        item, self._carried = self._carried, None
        while not self._ending:
            if item is None:
                try:
                    item = self._queue.get(True, self.patience_s)
                except queue.Empty:
                    if self._store.acks_due:
                        self._write_acks()
                    return None
                if item is None:
                    self._ending = True
                    return None
            if not isinstance(item, Ack):
                return item
            self._acknowledge(item)
            item = None
        return item if not isinstance(item, Ack) else None

    @property
    def patience_s(self) -> float:
        """Time after which a turn is due although no item is queued."""
        if self._tidy_due or self._ending or self._carried is not None:
            return 0.0
        tidy_s, due_s = self._store.settings.tidy_interval_s, self._open.due_s
        return tidy_s if due_s is None else max(0.0, min(tidy_s, due_s - self._store.clock.monotonic_s()))

    def _hold(self, item: Append | AppendBlocks) -> bool:
        """Hold live observations until the next cut. Return False if `item` is to be committed at once: its caller
        waits for the commit, it has an alarm, or there is no room on the disk."""
        store = self._store
        if not isinstance(item, Append) or item.taken is None or not store.settings.batch_s:
            return False
        content = sections_by_lane(item.sections)
        self._alarmed = self._alarmed or self._open.starts_alarm(item.sections)
        self._urgent = self._urgent or self._alarmed or not content.keys() <= TIMED_LANES
        if self._urgent or store.state is not StoreState.OK:
            return False
        try:
            check_sections(content, store.settings)  # an error of the encoding belongs to this caller
        except ProtocolError as error:
            self._report(outcomes_of(item, error))
            return True
        item.lanes = set(content)
        self._held.append(item)
        self._open.hold(content, store.clock.monotonic_s())
        self._call(self._take, item)
        return True

    def _group(self, first: Append | AppendBlocks) -> list[Append | AppendBlocks]:
        """Return `first` and the items that share its commit. An event or an alarm does not wait for others."""
        settings = self._store.settings
        group = [first]
        observations, has_event = size_of(first), isinstance(first, AppendBlocks)
        due_s = time.monotonic() + settings.commit_interval_s
        while observations < settings.group_observations_max:
            may_wait = not (self._urgent or has_event) and observations < settings.group_observations_min
            wait_s = due_s - time.monotonic() if may_wait else 0.0
            try:
                item = self._queue.get(True, wait_s) if wait_s > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                self._ending = True
                break
            if isinstance(item, Ack):
                self._acknowledge(item)
            elif isinstance(item, Task):
                self._carried = item
                break
            elif not self._hold(item):
                group.append(item)
                observations += size_of(item)
                has_event = has_event or isinstance(item, AppendBlocks)
        return group

    def _commit(self, group: list[Append | AppendBlocks], *, cut: bool = False) -> None:
        """Commit `group` and the held observations of its lanes. `cut`, or a cut that is due soon: commit all held
        observations, and complete the batches of all lanes."""
        store, lanes, now_s = self._store, self._open, self._store.clock.monotonic_s()
        appended = [section for item in group if isinstance(item, Append) for section in item.sections]
        alarmed = lanes.starts_alarm(appended) or self._alarmed
        self._alarmed = self._urgent = False
        cut = cut or alarmed or lanes.is_nearly_due(now_s) or not store.settings.batch_s
        content = sections_by_lane(appended)
        held = lanes.take(TIMED_LANES if cut else content.keys())
        group, content, made = self._encode(group, content, held)
        events = [block for item in group if isinstance(item, AppendBlocks) for block in item.blocks]
        outcomes: list[Outcome] | None = None
        if store.state is StoreState.OK:
            grown = {lane: store.heads[lane].open_batch for lane in made}
            alongs = [item.along for item in group if isinstance(item, Append) and item.along is not None]
            try:
                ends = store.commit([*events, *(block for blocks in made.values() for block in blocks)], alongs)
            except StoreFull:
                full_disk.enter(store)
            else:
                lanes.leave_open({} if cut else made, content, ends, grown, store.heads)
                outcomes = [*(each for item in group for each in outcomes_of(item)), *self._release(held)]
        if outcomes is None:
            outcomes = self._commit_on_reserve(group, held)
        if cut:
            for head in store.heads.values():
                head.open_batch = None
        lanes.settle(store.heads, now_s)
        self._report(outcomes)

    def _release(self, held: Content, error: BaseException | None = None) -> list[Outcome]:
        """Return the outcomes of the held appends of which no observation is held any more, or, with `error`, of all
        that had observations in `held`."""
        ended = []
        for item in self._held:
            is_affected = not item.lanes.isdisjoint(held)
            item.lanes -= held.keys()
            if not item.lanes or (is_affected and error is not None):
                ended.append((item.done, None, error))
        self._held = [item for item in self._held if item.lanes]
        return ended

    def _encode(
        self, group: list[Append | AppendBlocks], content: Content, held: Content
    ) -> tuple[list[Append | AppendBlocks], Content, dict[Lane, list[Block]]]:
        """Return the items of `group` that can be encoded, and by lane the observations of `held` and of these items,
        and their blocks. `content` has the observations of `group`. Report an encoding error to the caller of each item
        that cannot be encoded."""
        heads = self._store.heads
        try:
            together = join(held, content)
            return group, together, self._open.blocks(together, heads)
        except ProtocolError:
            sound: list[Append | AppendBlocks] = []
            for item in group:
                try:
                    if isinstance(item, Append):
                        blocks_of(item.sections, self._store.settings)
                    sound.append(item)
                except ProtocolError as error:
                    self._report(outcomes_of(item, error))
            sections = [section for item in sound if isinstance(item, Append) for section in item.sections]
            together = join(held, sections_by_lane(sections))
            return sound, together, self._open.blocks(together, heads)

    def _commit_on_reserve(self, group: list[Append | AppendBlocks], held: Content) -> list[Outcome]:
        """Commit events, ePCR and alarms on the reserve. Refuse all other observations, and count those that neither a
        device nor their caller (encoded ones) keeps. Return the outcomes."""
        if not group and not held:
            return []
        store = self._store
        blocks = [item for item in group if isinstance(item, AppendBlocks) and is_reserved(item)]
        events = [block for item in blocks for block in item.blocks]
        appends = [item for item in group if isinstance(item, Append)]
        live = [section for item in appends if not item.held_by_device for section in item.sections]
        alarms = [block for block in blocks_of(live, store.settings) if block.lane in RESERVED_LANES]
        lost = [loss for loss in losses.losses_of(live) if loss.lane not in RESERVED_LANES]
        lost += losses.losses_of([section for sections in held.values() for section in sections])
        stored: BaseException | None = None
        try:
            store.commit(events + alarms)
        except StoreFull as error:
            stored = error
            lost += [loss for loss in losses.losses_of(live) if loss.lane in RESERVED_LANES]
            log.error("buffer.reserve_exhausted", events=len(events), observations=_sum(lost))
        # Recorded in another transaction, so that the commit stays durable even if there is no room for the losses.
        self._count_losses(lost)
        refused = StoreFull("only the reserve is left, which is for events, ePCR and gap records")
        outcomes = self._release(held, refused)
        for item in group:
            is_kept = isinstance(item, Append) and item.held_by_device
            outcomes += outcomes_of(item, stored if is_reserved(item) and not is_kept else refused)
        self._tidy_due = True
        return outcomes

    def _count_losses(self, lost: list[Loss]) -> None:
        """Write gap records for `lost` and for losses not recorded before. If the reserve has no room, keep the losses
        in memory, one sum for each lane."""
        self._uncounted = losses.sums(self._uncounted + lost)
        if not self._uncounted:
            return
        try:
            losses.record(self._store, self._uncounted)
            self._uncounted = []
        except StoreFull:
            log.error("buffer.losses_unrecorded", observations=_sum(self._uncounted))

    def _do(self, task: Task) -> None:
        try:
            try:
                outcome: Outcome = (task.done, task.work(self._store), None)
            except StoreFull:
                if self._store.state is not StoreState.OK:
                    raise
                # A task writes little (a gap record, a device, a small value), so it may use the reserve too.
                full_disk.enter(self._store)
                outcome = (task.done, task.work(self._store), None)
        except (sqlite3.DatabaseError, OSError):
            self._report([(task.done, None, BufferClosed("the store failed"))])
            raise
        except Exception as error:  # the caller's own error: it is raised where the task was submitted
            outcome = (task.done, None, error)
        self._report([outcome])

    def _acknowledge(self, ack: Ack) -> None:
        head = self._store.heads[ack.lane]
        if ack.through_sequence > head.acked:
            self._store.set_acked(ack.lane, ack.through_sequence)
            self.marks = {**self.marks, ack.lane: head.marks()}

    def _write_acks(self) -> None:
        try:
            self._store.write_acks()
        except StoreFull:
            self._store.acks_unwritten.clear()  # the cloud will repeat it; nothing is lost by not writing it

    def _tidy(self) -> None:
        """Take one step of retention or recovery if it is due. A step takes some milliseconds."""
        store = self._store
        now_s = time.monotonic()
        if not self._tidy_due and now_s - self._tidied_s < store.settings.tidy_interval_s:
            return
        self._tidied_s = now_s
        if self._uncounted:
            self._count_losses([])
        self._tidy_due = tidy_step(store)
        if (self.marks, self.state) != (marks := store.marks(), store.state):
            self.marks, self.state = marks, store.state
            self._report([])

    def _report(self, outcomes: list[Outcome]) -> None:
        self.marks = self._store.marks()
        self.state = self._store.state
        self._call(self._settle, outcomes)


def tidy_step(store: Store) -> bool:
    """Take one bounded step of retention, or of recovery from a full disk. Return True when another step is due."""
    try:
        losses.close(store, all_of_them=False)
        if store.state is StoreState.RESERVE:
            return full_disk.recover(store)
        return retention.retain(store)
    except StoreFull:
        if store.state is StoreState.OK:
            full_disk.enter(store)
        return False


def _sum(lost: list[Loss]) -> int:
    return sum(loss.observations for loss in lost)
