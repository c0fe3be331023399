"""The one thread that writes to the store: it commits queued items in groups and notifies the event loop once for each.

No timer delays a group: the first append after a pause is committed at once, and the appends that arrive during its
flush share the next commit. Only a steady stream of small appends is slowed down to one commit per `commit_interval_s`,
because each commit is also a batch that is signed, sent and acknowledged.

One thread is enough, because SQLite has only one writer; so the end of each hash chain needs no lock. Between commits
the thread takes bounded steps of retention and recovery. It ends at the first error after which continuing could
corrupt the record, and every pending caller gets this error.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from gateway.buffer import full_disk, losses, retention
from gateway.buffer.blocks import Block, blocks_of
from gateway.buffer.errors import BufferClosed, StoreFull
from gateway.buffer.losses import Loss
from gateway.buffer.store import Store
from protocols.errors import ProtocolError
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from protocols.uplink.status import StoreState

log = structlog.get_logger()

ACK_DELAY_S = 0.5
"""Time for which an acknowledgement may wait to be written with another commit. After that it gets a commit of its own.
If it is lost, the uplink sends some batches twice."""

RESERVED_LANES = (Lane.EVENT, Lane.EPCR)
"""The lanes that may use the reserve."""


@dataclass(slots=True, eq=False)
class Append:
    """Queued observations. `held_by_device`: the device still keeps the observations, so none is lost when they are
    refused."""

    sections: Sequence[DeviceObservations]
    observations: int
    held_by_device: bool
    done: "asyncio.Future[None]"
    along: Callable[[Store], None] | None = None
    """A function that writes in the same transaction; None: nothing more is written."""


@dataclass(slots=True, eq=False)
class AppendBlock:
    """A queued block: an event, or a change to an ePCR draft."""

    block: Block
    done: "asyncio.Future[None]"


@dataclass(slots=True, eq=False)
class Task:
    """A function to run on the writer's thread between two commits. `done` gets its result or its error."""

    work: Callable[[Store], Any]
    done: "asyncio.Future[Any]"


Item = Append | AppendBlock | Task | Ack
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Writer:
    """The writer's thread. Both callbacks are called on the event loop: `settle` with the outcomes of each commit, and
    `fail` once, with the error that ended the thread."""

    def __init__(
        self,
        store: Store,
        *,
        loop: asyncio.AbstractEventLoop,
        settle: Callable[[list[Outcome]], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._store = store
        self._loop = loop
        self._settle = settle
        self._fail = fail
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._carried: Item | None = None
        self._ending = False
        self._committed_s = self._tidied_s = time.monotonic()
        self._tidy_due = False
        self._abandoned = False
        self._uncounted: list[Loss] = []
        self._thread = threading.Thread(target=self._run, name="argus-buffer-writer", daemon=True)
        self.marks = store.marks()
        self.state = store.state

    def start(self) -> None:
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue `item`. Never blocks; the caller bounds the queue."""
        self._queue.put(item)

    def end(self) -> None:
        """Make the writer's thread commit the queued items and end."""
        self._queue.put(None)

    def abandon(self) -> None:
        """Make the thread stop without another commit, because its store has failed. The pending callers have already
        got the error."""
        self._abandoned = True

    def join(self) -> None:
        self._thread.join()

    # ---- the thread

    def _run(self) -> None:
        try:
            while not self._ending and not self._abandoned:
                self._turn()
            if not self._abandoned:
                self._count_losses([])
                losses.close(self._store, all_of_them=True)
                self._write_acks()
        except Exception as error:  # the thread's end: every pending caller must be notified, whatever the error was
            # No traceback: its frames hold values and keys. The error is the cause of the error that pending callers
            # get.
            log.error("buffer.writer_failed", why=getattr(error, "sqlite_errorname", type(error).__name__))
            self._call(self._fail, error)

    def _turn(self) -> None:
        first = self._first()
        if self._abandoned:
            return
        if isinstance(first, Task):
            self._do(first)
        elif first is not None:
            self._commit(self._group(first))
        self._tidy()

    def _first(self) -> Append | AppendBlock | Task | None:
        """Return the next queued item that is not an acknowledgement. Acknowledgements before it are recorded first.
        Return None when no item came for a while, or when the thread is to end."""
        item, self._carried = self._carried, None
        while not self._ending:
            if item is None:
                try:
                    item = self._queue.get(timeout=self._patience_s())
                except queue.Empty:
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

    def _patience_s(self) -> float:
        if self._tidy_due:
            return 0.0
        return ACK_DELAY_S if self._store.acks_unwritten else self._store.settings.tidy_interval_s

    def _group(self, first: Append | AppendBlock) -> list[Append | AppendBlock]:
        settings = self._store.settings
        group = [first]
        observations = _size(first)
        due_s = self._committed_s + settings.commit_interval_s
        while observations < settings.group_observations_max:
            wait_s = due_s - time.monotonic() if observations < settings.group_observations_min else 0.0
            try:
                item = self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
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
            else:
                group.append(item)
                observations += _size(item)
        return group

    def _commit(self, group: list[Append | AppendBlock]) -> None:
        self._committed_s = time.monotonic()
        store = self._store
        group, blocks = self._encode(group)
        appends = [item for item in group if isinstance(item, Append)]
        events = [item.block for item in group if isinstance(item, AppendBlock)]
        if store.state is StoreState.OK:
            try:
                store.commit(events + blocks, [item.along for item in appends if item.along is not None])
                self._report([(item.done, None, None) for item in group])
                return
            except StoreFull:
                full_disk.enter(store)
        self._commit_on_reserve(group, appends, events)

    def _encode(self, group: list[Append | AppendBlock]) -> tuple[list[Append | AppendBlock], list[Block]]:
        """Return the items of `group` that can be encoded, and their blocks. Report an encoding error to the caller of
        each item that cannot."""
        appends = [item for item in group if isinstance(item, Append)]
        settings = self._store.settings
        try:
            return group, blocks_of([section for item in appends for section in item.sections], settings)
        except ProtocolError:
            sound: list[Append | AppendBlock] = []
            for item in group:
                try:
                    if isinstance(item, Append):
                        blocks_of(item.sections, settings)
                    sound.append(item)
                except ProtocolError as error:
                    self._report([(item.done, None, error)])
            appends = [item for item in sound if isinstance(item, Append)]
            return sound, blocks_of([section for item in appends for section in item.sections], settings)

    def _commit_on_reserve(self, group: list[Append | AppendBlock], appends: list[Append], events: list[Block]) -> None:
        """Commit events, ePCR and alarms on the reserve. Refuse all other observations, and count those that no device
        keeps."""
        store = self._store
        live = [section for item in appends if not item.held_by_device for section in item.sections]
        alarms = [block for block in blocks_of(live, store.settings) if block.lane in RESERVED_LANES]
        lost = [loss for loss in losses.losses_of(live) if loss.lane not in RESERVED_LANES]
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
        outcomes: list[Outcome] = []
        for item in group:
            whole = isinstance(item, AppendBlock) or (not item.held_by_device and _is_reserved(item))
            outcomes.append((item.done, None, stored if whole else refused))
        self._tidy_due = True
        self._report(outcomes)

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
            self.marks = self._store.marks()

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

    def _call(self, function: Callable[[Any], None], argument: object) -> None:
        # The loop may be closed: no caller waits then, and what was committed is committed.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, argument)


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


def _size(item: Append | AppendBlock) -> int:
    return item.observations if isinstance(item, Append) else 1


def _is_reserved(item: Append) -> bool:
    return all(loss.lane in RESERVED_LANES for loss in losses.losses_of(item.sections))


def _sum(lost: list[Loss]) -> int:
    return sum(loss.observations for loss in lost)
