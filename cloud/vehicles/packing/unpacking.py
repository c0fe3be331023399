"""Move the batches of a packed object back to rows, for the erasure of an encounter.

An erasure removes single batches from the chain, and needs their rows. The object then has no run, and is removed with
the payloads in it. Batches that are left are packed again when the erasure has ended.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from cloud.clinical.waveforms import READERS_US, Run, StoredRun, WaveformEnvelopes, WaveformIndex
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ObjectDamaged, ObjectStore
from cloud.vehicles.custody import Content, CustodyStore, LinkState, ReceivedBatch, Removal
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import decode_envelope


class BatchesPacked(Exception):
    """Batches that must have rows lie in packed objects. `names` are these objects."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(f"{len(names)} packed objects")
        self.names = sorted(names)


BeforeMoving = Callable[[Transaction, Sequence[Run]], Awaitable[None]]
"""A function that is called with the runs of an object at the beginning of the transaction that moves their batches."""


class RunUnpacker:
    """Moves the batches of packed objects back to rows. `objects` is None when the settings name no object store.
    `before_moving` notifies those who read rows and runs one after the other."""

    def __init__(
        self, database: Database, objects: ObjectStore | None, clock: Clock, before_moving: BeforeMoving
    ) -> None:
        self._database = database
        self._envelopes = WaveformEnvelopes(objects)
        self._clock = clock
        self._before_moving = before_moving
        self._index = WaveformIndex()
        self._custody = CustodyStore()
        self._removal = Removal()

    async def unpack(self, name: str) -> int:
        """Move all batches of one object, in one transaction; return their number. A run that was deleted meanwhile is
        ignored. Raises `ObjectMissing`, `ObjectDamaged` and `ObjectStoreUnavailable`, and then changes nothing."""
        async with self._database.read() as tx:
            runs = await self._index.runs_in(tx, name)
        envelopes: dict[Run, Sequence[bytes]] = {}
        async for stored, found in self._envelopes.read_all([StoredRun(run, name) for run in runs]):
            if isinstance(found, DomainError):
                raise found
            envelopes[stored.run] = found
        async with self._database.transaction() as tx:
            await self._before_moving(tx, runs)
            await self._index.object_named(tx, name)  # locked, as by a rewriting of it
            left = await self._index.runs_in(tx, name)
            return await self._move(tx, {run: envelopes[run] for run in left if run in envelopes})

    async def _move(self, tx: Transaction, runs: Mapping[Run, Sequence[bytes]]) -> int:
        moved = 0
        for lane_id in sorted({run.lane_id for run in runs}):
            await self._removal.lock(tx, lane_id)
            mine = [run for run in runs if run.lane_id == lane_id]
            # Before the rows are added: the database refuses those of batches that are in a run.
            await self._index.remove(tx, lane_id, mine, self._clock.now_us() + READERS_US)
            for run in mine:
                received = _received(run, runs[run])
                await self._custody.append(tx, received, (), stored_at_us=run.stored_at_us)
                moved += len(received)
        return moved


def _received(run: Run, envelopes: Sequence[bytes]) -> list[ReceivedBatch]:
    """Return the batches of a run as they were stored. Each gets the time of arrival of the run."""
    found = []
    for sequence, octets in enumerate(envelopes, start=run.sequence):
        try:
            envelope = decode_envelope(octets)
        except RemoteProtocolError as error:
            raise ObjectDamaged(f"(Batch {sequence} of a packed run: {error})") from None
        found.append(
            ReceivedBatch(
                lane_id=run.lane_id,
                envelope=envelope,
                octets=octets,
                hash=run.hash_of(sequence),
                link=LinkState(run.link) if sequence == run.sequence else LinkState.LINKED,
                content=Content.ROWS,
                organization_id=run.organization_id,
                vehicle_id=run.vehicle_id,
                received_at_us=run.received_at_us,
                traceparent=envelope.traceparent,
            )
        )
    return found
