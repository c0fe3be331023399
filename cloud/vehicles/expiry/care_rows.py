"""Delete expired field changes of care records, and with them the quality scores of their encounters.

The sums of days stay, since they are about no patient. An encounter whose record has begun to expire is never scored
again: a record that lacks changes has other scores, which would correct the sums of its day wrongly.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, select

from cloud.clinical.acqi import Scoring
from cloud.clinical.epcr import care_changes
from cloud.foundation.db import Transaction
from cloud.vehicles.expiry.lane_data import UnpackedRows, held_changes


class CareRows(UnpackedRows):
    """The field changes that were unpacked from batches."""

    def __init__(self) -> None:
        super().__init__("care_records", care_changes, held_changes)

    async def _delete(self, tx: Transaction, expired: Sequence[ColumnElement[bool]]) -> None:
        await delete_changes(tx, expired)


async def delete_changes(tx: Transaction, expired: Sequence[ColumnElement[bool]]) -> None:
    """Delete the field changes that meet these conditions, and the scores of their encounters."""
    table = care_changes.c
    found = await tx.execute(select(table.tenant_id, table.encounter_id).where(*expired).distinct())
    await Scoring().expire(tx, [(row.tenant_id, row.encounter_id) for row in found])
    await tx.execute(delete(care_changes).where(*expired))
