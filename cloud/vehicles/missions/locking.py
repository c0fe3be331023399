"""Lock rows of missions in the order of their key, before a transaction changes several of them.

A sender, the statuses of gateways and a change of an encounter may change the same rows at the same time. Without one
order, each of two transactions could hold a row for which the other one waits, and PostgreSQL would end one of them.
"""

from collections.abc import Sequence

from sqlalchemy import Text, select, tuple_

from cloud.foundation.db import GivenRows, Prepared, Transaction, given
from cloud.vehicles.missions.tables import vehicle_missions

_KEY = tuple(vehicle_missions.primary_key.columns)
_wanted = GivenRows("wanted", **{column.name: Text() for column in _KEY})
_LOCK = Prepared(
    select(vehicle_missions.c.encounter_id)
    .where(tuple_(*_KEY).in_(_wanted.rows(*(column.name for column in _KEY))))
    .order_by(*_KEY)
    .with_for_update()
)


async def lock_missions(tx: Transaction, keys: Sequence[tuple[str, str, str]]) -> None:
    """Lock the rows with these keys (tenant, encounter, vehicle). SQLite has one writer, which needs no locks."""
    if tx.dialect == "postgresql" and len(keys) > 1:
        await tx.driver.rows(_LOCK, {"wanted": given(keys)})
