"""Write a group of batches durably, whatever the cause for which a transaction fails.

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

from collections import Counter, deque
from dataclasses import replace

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, TransactionTooSlow, ValueRefused
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.foundation.tracing import Spans
from cloud.vehicles.custody import Reason
from cloud.vehicles.ingest.attempts import AWAY, wait_for_next
from cloud.vehicles.ingest.batch_spans import batch_span
from cloud.vehicles.ingest.delivery_group import Group
from cloud.vehicles.ingest.group import GroupWriter, Written
from cloud.vehicles.ingest.limits import OBJECT_ATTEMPTS_MAX, SLOW_ATTEMPTS_MAX, IngestSettings
from cloud.vehicles.ingest.numerics_packing import NumericsPacker
from cloud.vehicles.ingest.opening import Refused, UnreadablePayload
from cloud.vehicles.ingest.source import DueAck
from cloud.vehicles.ingest.staging import Stage
from cloud.vehicles.ingest.status import StatusKeeper
from cloud.vehicles.ingest.waveform_packing import WaveformPacker

log = structlog.get_logger()

RIVALRIES_MAX = 3
"""Constraint violations after which the group itself is taken as the cause. A concurrent writer causes only one."""

SLOW_GROUP_ATTEMPTS_MAX = 2
"""Slow attempts with a whole group before it is divided."""

_UNFIT = (ConstraintViolated, ValueRefused)
"""Errors of the content of a batch."""


class GroupCommit:
    """Writes the groups of one process, each in as few transactions as possible."""

    def __init__(
        self,
        *,
        database: Database,
        writer: GroupWriter,
        clock: Clock,
        settings: IngestSettings,
        packer: WaveformPacker | None,
        numerics: NumericsPacker | None,
        stage: Stage | None,
        spans: Spans | None,
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._packer = packer
        self._numerics = numerics
        self._stage = stage
        self._spans = spans
        self._statuses = StatusKeeper(clock, writer.outbox)

    async def commit(self, group: Group) -> list[DueAck]:
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
                waiting.append((one, await wait_for_next(self._settings, attempt, error)))

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
            if not any(one.staged_at_us is not None for one in alone.opened):
                return _given_up(error)
            # It was acknowledged. In the chain, retention and erasure find it, and `custody reprocess` unpacks it.
            log.exception("ingest.staged_batch_without_rows")
            unfit = UnreadablePayload("an error in the cloud prevents that its rows are written")
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
            except AWAY as error:
                if isinstance(error, TransactionTooSlow):
                    slow += 1
                    if slow == slow_max:
                        raise
                if isinstance(error, ObjectStoreUnavailable) and (
                    group.is_staged or attempt + 1 >= OBJECT_ATTEMPTS_MAX
                ):
                    raise
                attempt = await wait_for_next(self._settings, attempt, error)
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


def _given_up(error: Exception) -> list[DueAck]:
    """Log that a batch is neither stored nor acknowledged, so its gateway resends it; return no acknowledgements."""
    log.error("ingest.batch_given_up", error=type(error).__name__)
    return []


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
