"""The stored keys of one kind. They belong to the installation and not to a tenant, so no `Viewer` limits them."""

from collections.abc import Sequence
from typing import Generic

from sqlalchemy import Table, select, update

from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.signing_keys.life_cycle import Key

_MOVED = ("signs_from_us", "retired_at_us", "withdrawn_at_us")
"""Columns that change during the life of a key."""


class KeyStore(Generic[Key]):
    """SQL statements on the signing keys in `table`, whose columns are named like the fields of the class `kind`."""

    def __init__(self, table: Table, kind: type[Key]) -> None:
        self._table = table
        self._records = Records(kind, table)

    async def list(self, tx: Transaction, *, lock: bool = False) -> Sequence[Key]:
        """Return all keys, oldest first. With `lock`, no other transaction can change them until `tx` ends."""
        statement = self._records.select().order_by(self._table.c.number)
        return await self._records.all(tx, statement.with_for_update() if lock else statement)

    async def any(self, tx: Transaction) -> bool:
        return (await tx.execute(select(self._table.c.number).limit(1))).first() is not None

    async def add(self, tx: Transaction, key: Key) -> None:
        """Store a key. Raises `ConstraintViolated` when another process has stored a key with this number."""
        await tx.execute(insert(self._table).values(self._records.values(key)))

    async def move(self, tx: Transaction, key: Key) -> None:
        """Store the new times of a key's life cycle: signing, retirement and withdrawal."""
        moved = {name: value for name, value in self._records.values(key).items() if name in _MOVED}
        await tx.execute(update(self._table).where(self._table.c.number == key.number).values(moved))
