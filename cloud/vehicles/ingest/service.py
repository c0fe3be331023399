"""Ingest: receive deliveries, store them in one transaction, acknowledge them after the commit.

Live numerics and waveforms are acknowledged when they are durable in an object, and their rows are written later
(`staging`), unless the load is high or the batch needs the database. `delivery_opening` opens the deliveries, and
`group_commit` writes those that are not staged, and the staged ones later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from cloud.foundation.arrivals import ArrivalsIncomplete, WantedDevices
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.foundation.tracing import Spans
from cloud.vehicles.ingest.ack_queue import AckQueue, send_acks
from cloud.vehicles.ingest.attempts import AWAY, wait_for_next
from cloud.vehicles.ingest.delivery_group import Group, group_of
from cloud.vehicles.ingest.delivery_opening import DeliveryOpener
from cloud.vehicles.ingest.group import GroupWriter
from cloud.vehicles.ingest.group_commit import GroupCommit
from cloud.vehicles.ingest.late_batches import LateBatches
from cloud.vehicles.ingest.late_statuses import LateStatuses
from cloud.vehicles.ingest.limits import OBJECT_ATTEMPTS_MAX, IngestSettings
from cloud.vehicles.ingest.live_queue import LiveQueue
from cloud.vehicles.ingest.numerics_packing import NumericsPacker
from cloud.vehicles.ingest.source import AckSender, BatchSource, DueAck
from cloud.vehicles.ingest.staged_writing import StagedWriter
from cloud.vehicles.ingest.staging import Stage
from cloud.vehicles.ingest.waveform_packing import WaveformPacker
from protocols.uplink.lanes import Lane

log = structlog.get_logger()


class Ingest:
    """The ingest of one process. Several processes may use one database."""

    def __init__(
        self,
        *,
        database: Database,
        writer: GroupWriter,
        clock: Clock,
        packer: WaveformPacker | None = None,
        settings: IngestSettings | None = None,
        shut_out: Callable[[str], None] = lambda _: None,
        spans: Spans | None = None,
        stage: Stage | None = None,
        removes: bool = False,
        numerics: NumericsPacker | None = None,
    ) -> None:
        """Prepare ingest without starting it. `packer` puts waveforms into objects; None: they get rows. `shut_out` is
        called with the id of a gateway that sends although it is suspended or revoked. `spans` records the traced
        batches; None: they are not recorded. `stage` makes live batches durable before their rows are written; None:
        their rows are written at once. `numerics` puts staged numerics into objects; None: they get rows. `removes`:
        remove staged objects whose rows are written. Only a process that receives batches may do so, since others may
        work with a copy of the database."""
        self._settings = settings or IngestSettings()
        self._packer = packer
        stages = stage is not None and self._settings.stage_s > 0
        self.opener = DeliveryOpener(database, writer.quotas, clock, self._settings, shut_out, unpacks_live=not stages)
        self._commit = GroupCommit(
            database=database,
            writer=writer,
            clock=clock,
            settings=self._settings,
            packer=packer,
            numerics=numerics,
            stage=stage,
            spans=spans,
        )
        self._stage = stage
        self._staged: StagedWriter | None = None
        if stage is not None:
            self._staged = StagedWriter(stage, database, clock, self._settings, self._commit.commit, removes=removes)

    async def settle(self, *, waveforms: bool = True, of: WantedDevices | None = None) -> None:
        """Write the rows of all batches that were acknowledged before the call. Raises the errors of an object store or
        a database that is not available. Without `waveforms`, those of this process may stay staged, and so may what
        this process has staged without values `of` these devices."""
        if self._staged is not None:
            await self._staged.settle(waveforms=waveforms, of=of)

    async def settle_or_report(self, *, waveforms: bool = True, of: WantedDevices | None = None) -> None:
        """Wait as `settle`. Raises `ArrivalsIncomplete` if it was found that the rows of some batches cannot be
        written, and the errors of `settle`."""
        await self.settle(waveforms=waveforms, of=of)
        if self._staged is not None and self._staged.left:
            names = sorted(self._staged.left)
            raise ArrivalsIncomplete(f"(Staged objects: {len(names)}, the oldest is {names[0]}.)")

    async def run(self, source: BatchSource, sender: AckSender) -> None:
        """Receive, write and acknowledge until cancelled; then finish and acknowledge the current group."""
        acks = AckQueue(sender)
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(acks.run(), name="ingest-acknowledge")
            try:
                await self._receive(source, acks)
            finally:
                acks.end()
                await asyncio.wait([sending], timeout=self._settings.stop_s)

    async def _receive(self, source: BatchSource, sender: AckSender) -> None:
        ready: asyncio.Queue[Group] = asyncio.Queue(maxsize=1)
        live = LiveQueue(self._settings, None if self._packer is None else self.pack)
        if self._staged is not None:
            await self._or_log(self._staged.write_left)

        async def send(acks_due: Sequence[DueAck]) -> None:
            await send_acks(sender, acks_due)

        async def write_at_once(group: Group) -> None:
            await self._queue(live, group)

        async def enter(group: Group) -> None:
            await self._enter_live(live, group)

        async with asyncio.TaskGroup() as tasks:
            late = late_batches = None
            if self._stage is not None and self._staged is not None:
                late = LateStatuses(self._stage.settled, self._staged.settle_elsewhere)
                late_batches = LateBatches(self._stage.settled, self._staged.settle_elsewhere, enter)
                tasks.create_task(late_batches.run(), name="ingest-late-batches")
                tasks.create_task(self._stage.run(send, write_at_once), name="ingest-stage")
                tasks.create_task(self._staged.run(), name="ingest-write-staged")
                tasks.create_task(self._staged.serve_requests(), name="ingest-staged-requests")
                tasks.create_task(self._staged.sweep_often(), name="ingest-sweep-staged")
            if late is not None:
                tasks.create_task(self._write_groups(late.next, sender), name="ingest-write-late")
            tasks.create_task(self._open_others(source, ready), name="ingest-open")
            tasks.create_task(self._open_live(source, live, late_batches), name="ingest-open-live")
            tasks.create_task(self._write_groups(ready.get, sender, late), name="ingest-write")
            tasks.create_task(self._write_groups(live.take, sender), name="ingest-write-live")
            tasks.create_task(live.run(), name="ingest-pack")

    async def _open_others(self, source: BatchSource, ready: "asyncio.Queue[Group]") -> None:
        """Open events, care records and statuses. They do not wait behind live batches, which may wait for room."""
        while True:
            for group in await self.opener.open(await self.opener.collect(source, live=False)):
                await ready.put(group)

    async def _open_live(self, source: BatchSource, live: LiveQueue, late: LateBatches | None) -> None:
        """Open numerics and waveforms."""
        while True:
            for group in await self.opener.open(await self.opener.collect(source, live=True)):
                if late is not None:
                    late.take_from(group)
                await self._enter_live(live, group)

    async def _enter_live(self, live: LiveQueue, group: Group) -> None:
        """Stage the batches of a group that may be staged, and queue the others to be written."""
        if self._stage is not None and self._settings.stage_s and group.deliveries:
            await self._stage.wait_for_room()
            self._stage.admit(group)
        if group.deliveries:
            await self._queue(live, group)

    async def _queue(self, live: LiveQueue, group: Group) -> None:
        """Queue a group to be written, in parts that one transaction may write: batches that have waited join it."""
        limits = self._settings
        for part in group.divided(
            batches_max=limits.group_batches_max,
            bytes_max=limits.group_octets_max,
            observations_max=limits.group_observations_max,
        ):
            await self._let_go(await live.put(part))

    async def pack(self, waveforms: Group) -> Group:
        """Put waveforms into objects; return them. First write the rows of staged ones that precede them. If the object
        store stays unavailable, let them go and return an empty group."""
        assert self._packer is not None
        await self._unpack(waveforms)
        attempt = 0
        while True:
            try:
                await self._write_staged_before(waveforms)
                waveforms.opened = await self._packer.pack(waveforms.opened)
            except ObjectStoreUnavailable as error:
                if attempt + 1 == OBJECT_ATTEMPTS_MAX:
                    await self._let_go(waveforms)
                    return Group()
                attempt = await wait_for_next(self._settings, attempt, error)
            except Exception:
                # An error in the cloud's code. The writer packs again, and divides the group to find the batch.
                log.exception("ingest.waveforms_unpacked", batches=len(waveforms.opened))
                return waveforms
            else:
                return waveforms

    async def _unpack(self, group: Group) -> None:
        """Unpack a group that is not staged. No batch of its lanes waits for those that cannot be unpacked."""
        failed = await self.opener.unpack_all(group)
        if failed and self._stage is not None:
            self._stage.let_go(group_of(failed))

    async def _let_go(self, group: Group) -> None:
        """Drop waveforms for which there is no room. Their gateways get no acknowledgement and resend them."""
        if group.deliveries:
            log.warning("ingest.waveforms_let_go", batches=len(group.opened))
        if self._stage is not None:
            self._stage.let_go(group)
        for delivery in group.deliveries:
            await delivery.accept()

    async def _write_groups(
        self, next_group: Callable[[], Awaitable[Group]], sender: AckSender, late: LateStatuses | None = None
    ) -> None:
        """Write one group after the other. `late` gets the statuses that wait for other processes."""
        while True:
            group = await next_group()
            waiting = Group() if late is None else late.take_from(group)
            if group.deliveries:
                await self._write_shielded(group, sender)
            if late is not None:
                late.put(waiting)

    async def _write_shielded(self, group: Group, sender: AckSender) -> None:
        """Write a group. On cancellation it is committed and acknowledged, if that ends within `stop_s`."""
        writing = asyncio.ensure_future(self.write(group, sender))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing], timeout=self._settings.stop_s)
            writing.cancel()
            raise

    async def _write_staged_before(self, group: Group) -> None:
        """Write the rows of staged batches before a group that is judged by them. With waveforms that are not packed it
        waits for the object store, as those do, and may raise `ObjectStoreUnavailable`."""
        if self._stage is None or self._staged is None:
            return
        has_waveforms = any(one.batch.lane is Lane.WAVEFORM and one.packed is None for one in group.opened)
        attempt = 0
        while keys := self._stage.unwritten.lanes_before(group):
            try:
                if has_waveforms:
                    await self._staged.flush(keys)
                else:
                    await self._staged.flush_numerics(keys)
            except ObjectStoreUnavailable:
                raise
            except AWAY as error:
                attempt = await wait_for_next(self._settings, attempt, error)
            else:
                break

    async def _or_log(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write rows of staged batches. If that is not possible now, gateways resend what the database does not have,
        and it is not stored twice."""
        try:
            await write()
        except DomainError as error:
            log.warning("ingest.staged_not_written", code=error.code)

    async def write(self, group: Group, sender: AckSender) -> None:
        """Write a group of batches, and before it the staged batches that precede them. Send the acknowledgements to
        their gateways, and then accept the deliveries, which the broker may then delete."""
        await self._unpack(group)
        try:
            await self._write_staged_before(group)
            acks_due = await self._commit.commit(group)
        except ObjectStoreUnavailable:
            log.warning("ingest.waveforms_let_go", batches=len(group.opened))
            acks_due = []
        if self._stage is not None:
            self._stage.learn(group, acks_due)
        await send_acks(sender, acks_due)
        for delivery in group.deliveries:
            await delivery.accept()
