"""Unpack stored batches whose payload could not be unpacked when they arrived.

A gateway may be newer than the cloud: a batch in an unknown format is stored as bytes and acknowledged. After an
upgrade of the cloud this module tries these batches again, and also those that were above a limit or too slow to write.
The background step `unpack_batches` does the same by itself for the batches in an unknown format.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.clinical.devices import Devices
from cloud.clinical.observations import Added, Numbers
from cloud.foundation.db import ConstraintViolated, Database, Transaction, TransactionTooSlow, ValueRefused
from cloud.vehicles.custody import CustodyStore, HeldBatch, release
from cloud.vehicles.fleet import GatewayDirectory
from cloud.vehicles.ingest import KeptRows, RowContent, unpack
from protocols.uplink.envelope import decode_envelope

PAGE_BATCHES = 20
"""Envelopes in memory at once: with the largest ones 20 MB."""


@dataclass(slots=True)
class Reprocessed:
    """The result of unpacking a tenant's unreadable batches, as counts: batches unpacked, observation rows added,
    batches that are still unreadable."""

    unpacked: int = 0
    observations: int = 0
    still_unreadable: int = 0


class Reprocessing:
    """Unpack the unreadable batches of a tenant. Safe to repeat, also while ingest runs."""

    def __init__(self, database: Database, devices: Devices) -> None:
        self._database = database
        self._devices = devices
        self._custody = CustodyStore()
        self._numbers = Numbers()

    async def run(self, tenant_id: str) -> Reprocessed:
        """Try each unreadable batch of the tenant in its own transaction; return the counts. A batch that the database
        refuses counts as unreadable, and the next one is tried. Raises `DatabaseUnavailable`."""
        done = Reprocessed()
        after = (0, 0)
        while page := await self._page(tenant_id, after):
            for held in page:
                try:
                    await self._try(tenant_id, held, done)
                except (ValueRefused, ConstraintViolated, TransactionTooSlow):
                    done.still_unreadable += 1  # it stays in quarantine; the batches behind it are tried
            after = page[-1].lane_id, page[-1].sequence
        return done

    async def _page(self, tenant_id: str, after: tuple[int, int]) -> Sequence[HeldBatch]:
        async with self._database.read() as tx:
            return await self._custody.unreadable(tx, tenant_id, after=after, limit=PAGE_BATCHES)

    async def _try(self, tenant_id: str, held: HeldBatch, done: Reprocessed) -> None:
        content = unpack(decode_envelope(held.envelope).batch)
        if not isinstance(content, RowContent):
            done.still_unreadable += 1
            return
        async with self._database.transaction() as tx:
            written = await write_rows(tx, tenant_id, held, content, self._devices, self._numbers)
        if written is None:
            return
        rows, added = written
        self._numbers.learn(rows.learned)
        done.unpacked += 1
        done.observations += added.new


async def write_rows(
    tx: Transaction,
    tenant_id: str,
    held: HeldBatch,
    content: RowContent,
    devices: Devices,
    numbers: Numbers,
) -> tuple[KeptRows, Added] | None:
    """Write the rows of an unreadable batch whose content can be read now, and remove it from quarantine. Return None
    if its gateway was removed, or if another process has written the rows."""
    gateway = await GatewayDirectory().find(tx, tenant_id, held.gateway_id)
    if gateway is None or not await CustodyStore().begin_rows(tx, held):
        return None
    rows = KeptRows(tx, devices, numbers)
    added = await rows.write(held, gateway, content)
    await release(tx, tenant_id, held.gateway_id, held.hash)
    return rows, added
