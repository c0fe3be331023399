"""The background step that unpacks the batches which the release before could not read.

A gateway may be newer than the cloud: the cloud stores a batch in an unknown format without rows, and acknowledges it.
After each upgrade of the cloud this step looks through all batches in the order of their key, and unpacks those that it
can read now. A batch that was above a limit or too slow to write is left to `argus-cloud custody reprocess`, since an
operator should see why.
"""

from collections.abc import Sequence

from sqlalchemy import select, tuple_

from cloud.clinical.devices import Devices
from cloud.clinical.observations import Numbers
from cloud.foundation.db import ConstraintViolated, Transaction, ValueRefused, estimate_rows
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.step import Chunk, RowStep
from cloud.vehicles.custody import HELD_BATCHES, NOT_UNPACKED, Reason, batches, lanes, quarantined_batches
from cloud.vehicles.ingest import RowContent, unpack
from cloud.vehicles.verification.reprocess import write_rows
from protocols.uplink.envelope import decode_envelope

UNPACKED_MAX = 2
"""Batches that one chunk unpacks. Each has up to 8,192 observations, which take about a tenth of a second."""

_NOT_UNPACKED = frozenset(content.value for content in NOT_UNPACKED)
_place = (batches.c.lane_id, batches.c.sequence)


def jobs(process: Process) -> Jobs:
    return Jobs(steps=[unpack_step(Devices(process.ids))])


def unpack_step(devices: Devices) -> RowStep:
    """Return the step. `devices` attaches the devices of the batches."""
    work = Unpacking(devices).work
    purpose = "unpack the batches that the release before could not read"
    return RowStep("unpack_batches", purpose, work, lambda tx: estimate_rows(tx, batches), repeats=True)


class Unpacking:
    """The work of the step. A position is a lane and a sequence number, separated by a space."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def work(self, tx: Transaction, position: str, rows_max: int) -> Chunk:
        """Look at the next `rows_max` batches after the position, and unpack up to `UNPACKED_MAX` of them."""
        lane_id, sequence = map(int, position.split()) if position else (0, 0)
        statement = (
            select(*_place, batches.c.content)
            .where(tuple_(*_place) > (lane_id, sequence))
            .order_by(*_place)
            .limit(rows_max)
        )
        found = [(int(row[0]), int(row[1]), str(row[2])) for row in await tx.execute(statement)]
        unread = [index for index, (_, _, content) in enumerate(found) if content in _NOT_UNPACKED]
        end = unread[UNPACKED_MAX] if len(unread) > UNPACKED_MAX else len(found)
        for index in unread[:UNPACKED_MAX]:
            await self._try(tx, found[index][:2])
        if not end:
            return Chunk(position, 0, True)
        lane_id, sequence, _ = found[end - 1]
        return Chunk(f"{lane_id} {sequence}", end, end == len(found) < rows_max)

    async def _try(self, tx: Transaction, place: tuple[int, int]) -> None:
        """Unpack a batch if its content can be read now. A batch that the database refuses stays unread."""
        statement = (
            select(lanes.c.tenant_id, lanes.c.gateway_id, *HELD_BATCHES.columns)
            .join(lanes, lanes.c.lane_id == batches.c.lane_id)
            .where(batches.c.lane_id == place[0], batches.c.sequence == place[1])
        )
        row = (await tx.execute(statement)).first()
        if row is None:
            return
        tenant_id, gateway_id, *columns = row
        held = HELD_BATCHES.read(columns, gateway_id=gateway_id)
        content = unpack(decode_envelope(held.envelope).batch)
        if not isinstance(content, RowContent):
            return
        if {Reason.OVER_LIMIT.value, Reason.TOO_SLOW.value} & {*await self._reasons(tx, tenant_id, held.hash)}:
            return
        try:
            async with tx.savepoint():
                await write_rows(tx, tenant_id, held, content, self._devices, Numbers())
        except (ValueRefused, ConstraintViolated):
            return

    async def _reasons(self, tx: Transaction, tenant_id: str, hash_: bytes) -> Sequence[str]:
        """Return the reasons for which a batch is in quarantine."""
        where = (quarantined_batches.c.tenant_id == tenant_id, quarantined_batches.c.octets_hash == hash_)
        return [str(reason) for (reason,) in await tx.execute(select(quarantined_batches.c.reason).where(*where))]
