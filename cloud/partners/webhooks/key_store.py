"""The rows of the webhook keys. They belong to the installation, so no `Viewer` is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from cloud.foundation.db import Transaction, insert
from cloud.partners.webhooks.tables import webhook_keys


class WebhookKeyStore:
    """Every statement about them."""

    async def list(self, tx: Transaction, *, lock: bool = False) -> Sequence[dict[str, Any]]:
        """All, oldest first. `lock`: nobody else changes them until `tx` ends."""
        statement = select(webhook_keys).order_by(webhook_keys.c.number)
        rows = await tx.execute(statement.with_for_update() if lock else statement)
        return [{str(name): value for name, value in row._mapping.items()} for row in rows]

    async def add(self, tx: Transaction, row: Mapping[str, Any]) -> None:
        """Raises `ConstraintViolated` when somebody else made the key of that number."""
        await tx.execute(insert(webhook_keys).values(**row))

    async def move(self, tx: Transaction, number: int, *, signs_from_us: int | None, retired_at_us: int | None) -> None:
        """Write where a key now is in its life."""
        statement = update(webhook_keys).where(webhook_keys.c.number == number)
        await tx.execute(statement.values(signs_from_us=signs_from_us, retired_at_us=retired_at_us))
