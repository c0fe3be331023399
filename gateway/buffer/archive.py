"""Set-aside stores (files that can no longer be used): list them, and recover their unsent batches for the uplink.

A sound store is also set aside when the cloud has later batches of the same epoch (one life of the gateway's store),
because the file is then a restored older copy. The cloud lacks the values that were measured after this copy was
opened, so these values are copied into the next store.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from gateway.buffer.blocks import Block
from gateway.buffer.errors import BufferError, BufferUnusable, StoreFull, Trouble
from gateway.buffer.open_store import OpenStore
from gateway.buffer.recovered_store import RecoveredStore, unsent_paths
from gateway.buffer.recovery import save_unsent
from gateway.buffer.refusals import KEEP, refused
from gateway.buffer.set_aside import SetAsideRecord, set_aside_records
from gateway.buffer.store import Store
from gateway.buffer.store_in_use import StoreInUse
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import GatewayEvent
from protocols.uplink.gaps import decode_gap

CARRIED_BYTES_MAX = 64 << 20
"""Upper bound on the bytes that are copied in memory from an older copy of a store: more than an hour of full
monitoring. A gateway reaches the cloud long before that. Further blocks stay in the set-aside store, and its record
reports them."""

CARRY_READINGS_MAX = 8
"""Upper bound on repeated reads of the blocks to copy. Devices continue to measure during a read, so the blocks are
read again until no block was added during a read."""

RECOVER_EVERY_S = 10.0
"""Interval at which the state folder is checked for a set-aside store that was not recovered yet. The check is
cheap."""

log = structlog.get_logger()


class Archive:
    """The set-aside stores of one buffer. `append_event` is the buffer's method; it records each recovery."""

    def __init__(self, store: StoreInUse, append_event: Callable[[GatewayEvent], Awaitable[None]]) -> None:
        self._store = store
        self._append_event = append_event
        self._recovered: RecoveredStore | None = None
        self._carried: list[Block] = []

    def records(self) -> list[SetAsideRecord]:
        return set_aside_records(self._store.place.path)

    def unsent(self) -> int:
        """Return the number of stores beside the one in use that have batches for the cloud: set-aside ones whose
        batches are not saved yet, and recovered ones that it has not acknowledged. Reads the folder."""
        aside = sum([each.waits_for_recovery for each in self.records()])
        return aside + len(unsent_paths(self._store.place.path))

    def take_carried(self) -> list[Block]:
        """Return the blocks that `begin_epoch` saved from a restored older copy of the store, and forget them. The
        caller appends them to the store that replaces the copy."""
        carried, self._carried = self._carried, []
        return carried

    async def run(self) -> None:
        """Save the unsent batches of each set-aside store to a file of their own, from which the uplink sends them.
        Never returns."""
        clock = self._store.place.clock
        while True:
            for aside in await asyncio.to_thread(self.records):
                if aside.waits_for_recovery and self._store.present is not None:
                    await self._recover(aside)
            await clock.sleep_until(clock.monotonic_s() + RECOVER_EVERY_S)

    async def _recover(self, aside: SetAsideRecord) -> None:
        clock = self._store.place.clock
        try:
            outcome = await asyncio.to_thread(save_unsent, self._store.place, aside)
        except (BufferError, OSError, sqlite3.Error) as error:
            log.warning("buffer.not_recovered", file=aside.path.name, why=str(error))
            return
        event = GatewayEvent(
            name="store.recovered",
            at_us=clock.wall_us(),
            boot_id=clock.boot_id,
            device=None,
            fields={"file": aside.path.name, **outcome.fields()},
        )
        with suppress(StoreFull):
            await self._append_event(event)

    async def begin_epoch(self) -> None:
        """Mark the open store as failed, because it is a restored older copy. `StoreInUse.keep` then replaces it by a
        store with a new epoch."""
        store = self._store.require_or_refuse()
        for _ in range(CARRY_READINGS_MAX):
            with suppress(StoreFull):
                await self._store.task(Store.write_acks, cut=True)  # an open batch would not be read
            marks = store.writer.marks
            with suppress(StoreFull):
                self._carried = await self._store.read(blocks_since_opening, store)
            if store.writer.marks == marks:
                break
        why = f"is an older copy: the cloud holds a later history of its epoch {store.about.epoch}"
        store.fail(refused(self._store.place.path, why, KEEP, Trouble.FORKED))

    async def recovered(self) -> RecoveredStore | None:
        """Return the oldest recovered store that the cloud has not fully acknowledged, or None."""
        if self._recovered is not None and not self._recovered.settled:
            return self._recovered
        place = self._store.place
        for path in await asyncio.to_thread(unsent_paths, place.path):
            try:
                self._recovered = RecoveredStore(path, gateway=place.gateway, key=place.key)
                return self._recovered
            except BufferUnusable as error:
                log.error("buffer.recovered_unusable", file=path.name, why=str(error))
        return None

    async def close(self) -> None:
        if self._recovered is not None:
            await self._recovered.close()


def blocks_since_opening(store: OpenStore) -> list[Block]:
    """Return the blocks (contents of batches) that were committed after the store was opened, without gap records. The
    blocks of one lane are oldest first. The result holds at most about `CARRIED_BYTES_MAX` bytes."""
    blocks: list[Block] = []
    carried_bytes = 0
    for lane, after in store.last_at_opening.items():
        while carried_bytes < CARRIED_BYTES_MAX:
            batches, _ = store.reader.next_batches(
                lane, after=after, last=store.writer.marks[lane].last, limit_batches=64, limit_bytes=1 << 20
            )
            if not batches:
                break
            for batch in batches:
                after = batch.sequence
                if batch.kind is not BatchKind.GAP:
                    blocks.append(Block(lane, batch.kind, batch.count, batch.payload))
                    carried_bytes += len(batch.payload)
                else:
                    after = decode_gap(batch.payload).through_sequence
    return blocks
