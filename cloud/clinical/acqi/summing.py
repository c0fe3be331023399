"""The background step that computes the sums of whole tenants from those of their organisations.

Versions before 0050 wrote only the latter. Both are written in one transaction, so the step keeps others from writing
while it computes a few days.
"""

from sqlalchemy import func, select, text, tuple_

from cloud.clinical.acqi.tables import acqi_days, acqi_tenant_days
from cloud.foundation.db import Transaction, estimate_rows, insert
from cloud.foundation.step import Chunk, RowStep

_LOCK = text("LOCK TABLE acqi_days IN SHARE ROW EXCLUSIVE MODE")


def summing_step() -> RowStep:
    """Return the step. A position is a tenant and a day, separated by a space."""
    purpose = "add up the quality indicators of whole tenants"
    return RowStep("acqi_tenant_days", purpose, sum_next, lambda tx: estimate_rows(tx, acqi_days))


async def sum_next(tx: Transaction, position: str, rows_max: int) -> Chunk:
    """Compute the sums of the next days after the position."""
    if tx.dialect == "postgresql":  # SQLite has one writer
        await tx.execute(_LOCK)
    table = acqi_days.c
    day, after = tuple_(table.tenant_id, table.day), _read_position(position)
    days = select(table.tenant_id, table.day).where(day > after).order_by(table.tenant_id, table.day).limit(rows_max)
    rows = (await tx.execute(days)).rows
    if not rows:
        return Chunk(position, 0, ended=True)
    last = (str(rows[-1][0]), int(rows[-1][1]))
    key = (table.tenant_id, table.indicator, table.day, table.secrecy_level)
    sums = select(*key, func.sum(table.numerator), func.sum(table.denominator)).where(day > after, day <= last)
    adding = insert(acqi_tenant_days).from_select(list(acqi_tenant_days.c), sums.group_by(*key))
    new = {name: adding.excluded[name] for name in ("numerator", "denominator")}
    await tx.execute(adding.on_conflict_do_update(index_elements=list(acqi_tenant_days.primary_key), set_=new))
    return Chunk(f"{last[0]} {last[1]}", len(rows), len(rows) < rows_max)


def _read_position(position: str) -> tuple[str, int]:
    tenant_id, _, day = position.partition(" ")
    return tenant_id, int(day or -1)
