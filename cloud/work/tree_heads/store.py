"""SQL statements on signed tree heads."""

from collections.abc import Sequence

from sqlalchemy import func, select, update

from cloud.foundation.db import Records, Transaction, insert
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.tables import tree_heads

_HEADS = Records(StoredHead, tree_heads)
_c = tree_heads.c


class HeadStore:
    """SQL statements on signed tree heads."""

    async def add(self, tx: Transaction, head: StoredHead) -> None:
        await tx.execute(insert(tree_heads).values(_HEADS.values(head)))

    async def latest(self, tx: Transaction, tenant_id: str) -> StoredHead | None:
        """Return the head of the largest tree of a tenant, or None."""
        found = await self.list(tx, tenant_id, before=None, count=1)
        return found[0] if found else None

    async def find(self, tx: Transaction, tenant_id: str, tree_size: int) -> StoredHead | None:
        statement = _HEADS.select().where(_c.tenant_id == tenant_id, _c.tree_size == tree_size)
        return await _HEADS.first(tx, statement)

    async def list(self, tx: Transaction, tenant_id: str, *, before: int | None, count: int) -> Sequence[StoredHead]:
        """Return at most `count` heads, newest first; `before`: only heads of smaller trees."""
        statement = _HEADS.select().where(_c.tenant_id == tenant_id).order_by(_c.tree_size.desc()).limit(count)
        return await _HEADS.all(tx, statement if before is None else statement.where(_c.tree_size < before))

    async def claim_unstamped(self, tx: Transaction, now_us: int, lease_us: int, count: int) -> Sequence[StoredHead]:
        """Return at most `count` heads that are due for a time stamp, newest first. They are due again when the lease
        ends, in case this process does not finish. The newest is first, since it contains the records of the others."""
        due = _HEADS.select().where(_c.stamp_due_us <= now_us).order_by(_c.stamp_due_us.desc()).limit(count)
        found = await _HEADS.all(tx, due.with_for_update(skip_locked=True))
        for head in found:
            await self._change(tx, head, stamp_due_us=now_us + lease_us)
        return found

    async def stamp(self, tx: Transaction, head: StoredHead, stamp: bytes, stamped_at_us: int) -> None:
        """Store the time stamp of a head. One that another process has stored meanwhile is kept."""
        done = {"stamp_due_us": None, "stamp_failure": None, "stamp": stamp, "stamped_at_us": stamped_at_us}
        await self._change(tx, head, **done)

    async def fail(self, tx: Transaction, head: StoredHead, failure: str, due_us: int | None) -> None:
        """Record a failed attempt; the next one is at `due_us`, None: there is none."""
        attempts = head.stamp_attempts + 1
        await self._change(tx, head, stamp_failure=failure, stamp_attempts=attempts, stamp_due_us=due_us)

    async def stamp_again(self, tx: Transaction, tenant_id: str, now_us: int) -> int:
        """Let every unstamped head of a tenant be stamped from now on; return their number."""
        unstamped = (_c.tenant_id == tenant_id, _c.stamp.is_(None))
        changed = {"stamp_due_us": now_us, "stamp_attempts": 0}
        return (await tx.execute(update(tree_heads).where(*unstamped).values(changed))).rowcount

    async def counts(self, tx: Transaction) -> tuple[int, int, int, int | None]:
        """Return the number of heads, of those without a time stamp, of those given up, and the time of the oldest head
        that is still due for one."""
        unstamped = _c.stamp.is_(None)
        given_up = unstamped & _c.stamp_due_us.is_(None) & (_c.stamp_attempts > 0)
        wanted = select(
            func.count(),
            func.count().filter(unstamped),
            func.count().filter(given_up),
            func.min(_c.signed_at_us).filter(unstamped & _c.stamp_due_us.is_not(None)),
        )
        row = (await tx.execute(wanted)).first()
        assert row is not None
        return int(row[0]), int(row[1]), int(row[2]), row[3]

    async def _change(self, tx: Transaction, head: StoredHead, **changed: object) -> None:
        mine = (_c.tenant_id == head.tenant_id, _c.tree_size == head.tree_size, _c.stamp.is_(None))
        await tx.execute(update(tree_heads).where(*mine).values(changed))
