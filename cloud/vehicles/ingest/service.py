"""Ingest: receive deliveries, store them in one transaction, acknowledge them after the commit.

Live numerics and waveforms are acknowledged when they are durable in an object, and their rows are written later
(`staging`), unless the load is high or the batch needs the database. The rest of this page is about groups that are
written.

While a group is being written, the next one is decoded and verified, and further deliveries stay with the broker. So
under load more batches share a commit, and an idle ingest acknowledges at once.

If a group cannot be written, it is divided, and each batch of the parts that fail too is tried alone. There are five
causes:
- The database refuses the content of a batch: its envelope is stored without unpacked rows.
- The database is unavailable or full: the group is retried. Nothing is accepted or acknowledged, so nothing is lost.
- The object store is unavailable: the group's waveforms are retried for some seconds, then left to their gateways.
- The write is too slow: smaller groups are tried too. A batch that is too slow alone, several times, is stored without
  unpacked rows too.
- An error in the cloud's code: the batches are neither stored nor acknowledged, and never quarantined. Their
  gateway keeps and resends them, perhaps to a repaired cloud; the error is logged.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import (
    ConstraintViolated,
    Database,
    DatabaseUnavailable,
    DatabaseUnusable,
    TransactionTooSlow,
    ValueRefused,
)
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.foundation.tracing import Spans
from cloud.vehicles.custody import Reason
from cloud.vehicles.fleet import GatewayAccess, GatewayDirectory, GatewayName, RegisteredGateway
from cloud.vehicles.ingest.batch_spans import batch_span
from cloud.vehicles.ingest.delivery_group import Group, rows_of
from cloud.vehicles.ingest.group import GroupWriter, Written
from cloud.vehicles.ingest.limits import OBJECT_ATTEMPTS_MAX, SLOW_ATTEMPTS_MAX, IngestSettings
from cloud.vehicles.ingest.live_queue import LiveQueue
from cloud.vehicles.ingest.numerics_packing import NumericsPacker
from cloud.vehicles.ingest.opening import Opened, Refused, UnreadablePayload, open_delivery
from cloud.vehicles.ingest.opening_pace import LIVE_LANES, OpeningPace
from cloud.vehicles.ingest.quotas import Quota
from cloud.vehicles.ingest.source import AckSender, BatchDelivery, BatchSource, Delivery, DueAck, StatusDelivery
from cloud.vehicles.ingest.staged_writing import StagedWriter
from cloud.vehicles.ingest.staging import Stage
from cloud.vehicles.ingest.status import StatusKeeper, open_status
from cloud.vehicles.ingest.waveform_packing import WaveformPacker
from protocols.uplink.lanes import Lane
from protocols.waits import doubled_s

log = structlog.get_logger()

OPENING_S_MAX = 0.003
"""Time for which small batches are decoded before other tasks of the event loop run. A turn of the loop costs as much
as decoding a small batch if packets of the broker are read and sent in it. A large batch takes longer than this anyway.
"""

RIVALRIES_MAX = 3
"""Constraint violations after which the group itself is taken as the cause. A concurrent writer causes only one."""

SLOW_GROUP_ATTEMPTS_MAX = 2
"""Slow attempts with a whole group before it is divided."""

_AWAY = (DatabaseUnavailable, DatabaseUnusable, ObjectStoreUnavailable)
"""Errors of the database, not of the content. `DatabaseUnusable` in a running process means that an account, a database
or a table was removed; it may be restored."""
_UNFIT = (ConstraintViolated, ValueRefused)
"""Errors of the content of a batch."""


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
        self._spans = spans
        self._database = database
        self._writer = writer
        self._clock = clock
        self._packer = packer
        self._numerics = numerics
        self._settings = settings or IngestSettings()
        self._shut_out = shut_out
        self._directory = GatewayDirectory()
        self._statuses = StatusKeeper(clock, writer.outbox)
        self._pace = OpeningPace()
        self._stage = stage
        self._staged = (
            None if stage is None else StagedWriter(stage, database, self._settings, self._durable, removes=removes)
        )

    async def settle(self) -> None:
        """Write the rows of all batches that were acknowledged before the call. Raises the errors of an object store or
        a database that is not available."""
        if self._staged is not None:
            await self._staged.settle()

    async def run(self, source: BatchSource, sender: AckSender) -> None:
        """Receive, write and acknowledge until cancelled; then finish and acknowledge the current group."""
        ready: asyncio.Queue[Group] = asyncio.Queue(maxsize=1)
        live = LiveQueue(self._settings, None if self._packer is None else self.pack)
        if self._staged is not None:
            await self._or_log(self._staged.settle)

        async def send(acks_due: Sequence[DueAck]) -> None:
            await _acknowledge(sender, acks_due)

        async def write_at_once(group: Group) -> None:
            await self._let_go(await live.put(group))

        async with asyncio.TaskGroup() as tasks:
            if self._stage is not None and self._staged is not None:
                tasks.create_task(self._stage.run(send, write_at_once), name="ingest-stage")
                tasks.create_task(self._staged.run(), name="ingest-write-staged")
            tasks.create_task(self._open_groups(source, ready, live), name="ingest-open")
            tasks.create_task(self._write_groups(ready.get, sender), name="ingest-write")
            tasks.create_task(self._write_groups(live.take, sender), name="ingest-write-live")
            tasks.create_task(live.run(), name="ingest-pack")

    async def _open_groups(self, source: BatchSource, ready: "asyncio.Queue[Group]", live: LiveQueue) -> None:
        while True:
            for group in await self.open(await self._collect(source)):
                of_live_lanes = group.take(*LIVE_LANES)
                if group.deliveries:
                    await ready.put(group)
                if self._stage is not None and self._settings.stage_s:
                    self._stage.admit(of_live_lanes)
                if of_live_lanes.deliveries:
                    await self._let_go(await live.put(of_live_lanes))

    async def pack(self, waveforms: Group) -> Group:
        """Put waveforms into objects; return them. First write the rows of staged ones that precede them. If the object
        store stays unavailable, let them go and return an empty group."""
        assert self._packer is not None
        attempt = 0
        while True:
            try:
                await self._write_staged_before(waveforms)
                waveforms.opened = await self._packer.pack(waveforms.opened)
            except ObjectStoreUnavailable as error:
                if attempt + 1 == OBJECT_ATTEMPTS_MAX:
                    await self._let_go(waveforms)
                    return Group()
                attempt = await self._wait(attempt, error)
            except Exception:
                # An error in the cloud's code. The writer packs again, and divides the group to find the batch.
                log.exception("ingest.waveforms_unpacked", batches=len(waveforms.opened))
                return waveforms
            else:
                return waveforms

    async def _let_go(self, group: Group) -> None:
        """Drop waveforms for which there is no room. Their gateways get no acknowledgement and resend them."""
        if group.deliveries:
            log.warning("ingest.waveforms_let_go", batches=len(group.opened))
        if self._stage is not None:
            self._stage.let_go(group)
        for delivery in group.deliveries:
            await delivery.accept()

    async def _collect(self, source: BatchSource) -> list[Delivery]:
        """Wait for a delivery and return it with all others that have already arrived, up to the limits of a group, and
        with those that arrive while their opening waits (`opening_pace`)."""
        taken = [await source.next()]
        self._take_arrived(source, taken)
        loop = asyncio.get_running_loop()
        if (wait_s := self._pace.wait_s(taken, loop.time())) > 0:
            await asyncio.sleep(wait_s)
            self._take_arrived(source, taken)
        self._pace.begin(loop.time())
        return taken

    def _take_arrived(self, source: BatchSource, taken: list[Delivery]) -> None:
        """Add the deliveries that have arrived to `taken`, up to the limits of a group."""
        octets = sum([len(one.octets) for one in taken])
        while len(taken) < self._settings.group_batches_max and octets < self._settings.group_octets_max:
            more = source.next_now()
            if more is None:
                break
            taken.append(more)
            octets += len(more.octets)

    async def open(self, deliveries: Sequence[Delivery]) -> list[Group]:
        """Decode and verify deliveries and return them in groups, each small enough for one transaction."""
        gateways = await self._find_gateways(deliveries)
        for gateway in gateways.values():
            if gateway.access is not GatewayAccess.ACTIVE:
                self._shut_out(gateway.id)
        now_us = self._clock.now_us()
        exhausted = {name: self._writer.quotas.exhausted(name, now_us) for name in gateways}
        groups = [Group()]
        loop = asyncio.get_running_loop()
        yield_s = loop.time() + OPENING_S_MAX
        for delivery in deliveries:
            if groups[-1].observations >= self._settings.group_observations_max:
                groups.append(Group())
            groups[-1].deliveries.append(delivery)
            match delivery:
                case BatchDelivery():
                    name = _name(delivery)
                    _add_batch(groups[-1], delivery, gateways.get(name), exhausted.get(name))
                case StatusDelivery():
                    _add_status(groups[-1], delivery)
            if loop.time() >= yield_s:  # decoding takes time: other tasks of the loop run between two batches
                await asyncio.sleep(0)
                yield_s = loop.time() + OPENING_S_MAX
        return groups

    async def _find_gateways(self, deliveries: Sequence[Delivery]) -> dict[GatewayName, RegisteredGateway]:
        """Return the gateways that the topics name; wait while the database is unavailable. They are read for each
        group, so that a replaced key or a new owner takes effect at once."""
        names = {_name(delivery) for delivery in deliveries if isinstance(delivery, BatchDelivery)}
        attempt = 0
        while names:
            try:
                return await self._directory.peek_all(self._database, names)
            except _AWAY as error:
                attempt = await self._wait(attempt, error)
        return {}

    async def _write_groups(self, next_group: Callable[[], Awaitable[Group]], sender: AckSender) -> None:
        while True:
            group = await next_group()
            writing = asyncio.ensure_future(self.write(group, sender))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # The group that has begun is committed and acknowledged, if that ends within `stop_s`.
                await asyncio.wait([writing], timeout=self._settings.stop_s)
                writing.cancel()
                raise

    async def _write_staged_before(self, group: Group) -> None:
        """Write the rows of staged batches before a group that is judged by them. With waveforms that are not packed it
        waits for the object store, as those do, and may raise `ObjectStoreUnavailable`. Before the first status of a
        gateway, also write the rows of what another process has staged."""
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
            except _AWAY as error:
                attempt = await self._wait(attempt, error)
            else:
                break
        if self._settings.stage_s and not all(map(self._stage.knows, group.statuses)):
            await self._or_log(self._staged.settle_others)

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
        try:
            await self._write_staged_before(group)
            acks_due = await self._durable(group)
        except ObjectStoreUnavailable:
            log.warning("ingest.waveforms_let_go", batches=len(group.opened))
            acks_due = []
        if self._stage is not None:
            self._stage.learn(group, acks_due)
        await _acknowledge(sender, acks_due)
        for delivery in group.deliveries:
            await delivery.accept()

    async def _durable(self, group: Group) -> list[DueAck]:
        """Write a group in one transaction. If that fails, write smaller groups, and each batch and status of those
        that fail too in its own transaction. Return the acknowledgements of what is committed."""
        several = len(group.opened) > 1
        written = await self._try_whole(group, slow_max=SLOW_GROUP_ATTEMPTS_MAX if several else 1)
        if written is not None:
            return written
        # The cause is in the group: each batch is tried alone to find it. A batch that is slow alone is moved to the
        # end, so that the others do not wait for its next attempt.
        acks: list[DueAck] = []
        waiting: deque[tuple[Group, int]] = deque()

        async def alone(one: Group, attempt: int) -> None:
            try:
                acks.extend(await self._durable_alone(one, attempt))
            except TransactionTooSlow as error:
                waiting.append((one, await self._wait(attempt, error)))

        for part in (parts := group.parts()):
            written = await self._try_whole(part, slow_max=1) if len(parts) > 1 else None
            if written is not None:
                acks.extend(written)
                continue
            for one in part.singly():
                await alone(one, 1 if several else 2)
        while waiting:
            await alone(*waiting.popleft())
        return acks

    async def _try_whole(self, group: Group, *, slow_max: int) -> list[DueAck] | None:
        """Write a group in one transaction; return None if the group itself is the cause of a failure."""
        try:
            return await self._until_available(group, slow_max=slow_max)
        except (*_UNFIT, TransactionTooSlow) as error:
            log.warning("ingest.group_divided", batches=len(group.opened), error=type(error).__name__)
        except ObjectStoreUnavailable:
            raise
        except Exception:
            log.exception("ingest.group_failed", batches=len(group.opened))
        return None

    async def _durable_alone(self, alone: Group, attempt: int) -> list[DueAck]:
        """Write a group of one batch or status. If the batch's rows cannot be written, store only its envelope. Raises
        `TransactionTooSlow` when a retry is due."""
        try:
            return await self._until_available(alone, slow_max=1)
        except _UNFIT as error:
            unfit = UnreadablePayload(f"the database does not take it ({error.code})")
            log.warning("ingest.batch_unstorable", code=error.code)
        except TransactionTooSlow:
            if attempt < SLOW_ATTEMPTS_MAX or not alone.opened:
                raise
            unfit = UnreadablePayload(f"it was too slow to write in {attempt} attempts", Reason.TOO_SLOW)
            log.warning("ingest.batch_too_slow", attempts=attempt)
        except ObjectStoreUnavailable:
            raise
        except Exception as error:
            return _given_up(error)
        # A database may refuse the rows; the envelope is only bytes and numbers that were checked.
        kept = Group(
            opened=[replace(one, content=unfit) for one in alone.opened],
            refused=[Refused(one.delivery, Reason.MALFORMED, unfit.reason) for one in alone.refused],
        )
        try:
            return await self._until_available(kept)
        except Exception as error:
            return _given_up(error)

    async def _until_available(self, group: Group, *, slow_max: int | None = None) -> list[DueAck]:
        """Write a group, and retry while the database is unavailable. Raises the errors that the group itself causes,
        `ObjectStoreUnavailable` after `OBJECT_ATTEMPTS_MAX` attempts (staged batches: after one), and
        `TransactionTooSlow` after `slow_max` slow ones. `slow_max` None retries without limit, for a group that cannot
        be made smaller."""
        attempt = rivalries = slow = 0
        while True:
            try:
                return await self._write_once(group)
            except _AWAY as error:
                if isinstance(error, TransactionTooSlow):
                    slow += 1
                    if slow == slow_max:
                        raise
                if isinstance(error, ObjectStoreUnavailable) and (
                    group.is_staged or attempt + 1 >= OBJECT_ATTEMPTS_MAX
                ):
                    raise
                attempt = await self._wait(attempt, error)
            except ConstraintViolated:
                # Two gateways read one device's memory, and the other worker was faster: now its rows are visible.
                rivalries += 1
                if rivalries == RIVALRIES_MAX:
                    raise

    async def _write_once(self, group: Group) -> list[DueAck]:
        if self._packer is not None and not group.is_held:
            group.opened = await self._packer.pack(group.opened)
            await self._pack_numerics(group)
        async with self._database.transaction() as tx:
            written = await self._writer.write(tx, group.opened, group.refused)
            if group.statuses:
                staged = {} if self._stage is None else self._stage.unwritten.ends()
                acks = await self._statuses.keep(tx, group.statuses, staged)
                written.acks.extend(DueAck(gateway.tenant_id, gateway.id, ack) for gateway, ack in acks)
        self._writer.numbers.learn(written.learned)
        written.charges.keep()
        if self._spans is not None and written.traced:
            stored_at_us = self._clock.now_us()
            for one in written.traced:
                self._spans.record(batch_span(one, stored_at_us))
        _log_written(written, group)
        return written.acks

    async def _pack_numerics(self, group: Group) -> None:
        """Put staged numerics into objects. They are written without while the object store is not available."""
        if self._numerics is None or self._stage is None or self._stage.outage.lasts:
            return
        try:
            group.opened = await self._numerics.pack(group.opened)
        except ObjectStoreUnavailable as error:
            self._stage.outage.begin()
            log.warning("ingest.numerics_unpacked", batches=len(group.opened), code=error.code)

    async def _wait(self, attempt: int, error: DomainError) -> int:
        """Wait a random time up to a limit that doubles with each attempt (full jitter), so that workers do not retry
        at the same time; return the number of the next attempt."""
        most_s = doubled_s(self._settings.retry_least_s, attempt, self._settings.retry_most_s)
        log.warning("ingest.database_unavailable", code=error.code, attempt=attempt)
        await asyncio.sleep(random.uniform(0, most_s))  # noqa: S311  spreads attempts, protects nothing
        return attempt + 1


async def _acknowledge(sender: AckSender, acks_due: Sequence[DueAck]) -> None:
    for due, sent in zip(acks_due, await sender.acknowledge(acks_due), strict=True):
        if not sent:
            log.info("ingest.answer_unsent", gateway=due.gateway_id, lane=due.ack.lane.value)


def _name(delivery: Delivery) -> GatewayName:
    return delivery.tenant_id, delivery.gateway_id


def _given_up(error: Exception) -> list[DueAck]:
    """Log that a batch is neither stored nor acknowledged, so its gateway resends it; return no acknowledgements."""
    log.error("ingest.batch_given_up", error=type(error).__name__)
    return []


def _add_batch(
    group: Group, delivery: BatchDelivery, gateway: RegisteredGateway | None, exhausted: Quota | None
) -> None:
    try:
        one = open_delivery(delivery, gateway, exhausted=exhausted)
    except Exception as error:
        # An error in the cloud's code: one message must not end the process that all the others need.
        log.exception("ingest.batch_unopened", gateway=delivery.gateway_id, lane=delivery.lane.value)
        _given_up(error)
        return
    if isinstance(one, Opened):
        group.opened.append(one)
        group.observations += rows_of(one)
    else:
        group.refused.append(one)


def _add_status(group: Group, delivery: StatusDelivery) -> None:
    status = open_status(delivery)
    if status is None:
        log.warning("ingest.status_unreadable", gateway=delivery.gateway_id)
    else:
        group.statuses[_name(delivery)] = status


def _log_written(written: Written, group: Group) -> None:
    tally = written.tally
    log.debug(
        "ingest.group_written",
        stored=tally.stored,
        observations=tally.observations,
        duplicates=tally.duplicates,
        scattered=tally.scattered,
        parked=tally.parked,
        repeated=tally.repeated,
        statuses=len(group.statuses),
    )
    refused = Counter((one.delivery.gateway_id, one.reason.value) for one in group.refused)
    for (gateway, why), count in refused.items():
        log.warning("ingest.batches_refused", gateway=gateway, why=why, count=count)
    if tally.held_back:
        log.warning("ingest.batches_held_back", count=tally.held_back)
    if tally.conflicts:
        log.warning("ingest.identity_contested", conflicts=tally.conflicts)
