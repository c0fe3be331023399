"""SQL statements on the tree of a tenant's evidence records: append leaves, and compute hashes of ranges of leaves."""

from collections.abc import Sequence

from sqlalchemy import and_, func, select, update

from cloud.access.tenancy import TenancyStore
from cloud.foundation.db import Transaction, insert
from cloud.work.evidence import evidence_records
from cloud.work.tree_heads.tables import evidence_tree_nodes, evidence_trees
from protocols.provenance import merkle
from protocols.provenance.tree_ranges import Leaves, full_subtrees

LEVEL_BITS = 8
NODES_MOST = 1 << LEVEL_BITS
"""Nodes of a level that make one of the next level."""

_nodes = evidence_tree_nodes.c
_records = evidence_records.c


class TreeStore:
    """SQL statements on the trees of all tenants."""

    async def add_missing(self, tx: Transaction, due_us: int) -> None:
        """Give every tenant a tree, which is empty at first."""
        known = {row[0] for row in await tx.execute(select(evidence_trees.c.tenant_id))}
        empty = {"size": 0, "scanned_number": 0, "high_number": 0, "due_at_us": due_us}
        for tenant in await TenancyStore().list_tenants(tx):
            if tenant.id not in known:
                await tx.execute(insert(evidence_trees).values(tenant_id=tenant.id, **empty).on_conflict_do_nothing())

    async def claim_due(self, tx: Transaction, now_us: int) -> tuple[str, int] | None:
        """Lock the tree whose head has been due for longest; return its tenant and size, None if no head is due. A tree
        that another process has locked is left to it."""
        table = evidence_trees.c
        due = select(table.tenant_id, table.size).where(table.due_at_us <= now_us)
        row = (await tx.execute(due.order_by(table.due_at_us).limit(1).with_for_update(skip_locked=True))).first()
        return None if row is None else (str(row[0]), int(row[1]))

    async def oldest_due_us(self, tx: Transaction) -> int | None:
        """Return the time at which the head that has been due for longest was due; None if no tenant has a tree."""
        return (await tx.execute(select(func.min(evidence_trees.c.due_at_us)))).scalar()  # type: ignore[no-any-return]

    async def lock(self, tx: Transaction, tenant_id: str) -> int:
        """Lock the tree of a tenant and return its size; 0 if the tenant has none."""
        table = evidence_trees.c
        wanted = select(table.size).where(table.tenant_id == tenant_id).with_for_update()
        return int((await tx.execute(wanted)).scalar() or 0)

    async def append(self, tx: Transaction, tenant_id: str, size: int, cutoff_us: int, count: int) -> int:
        """Append at most `count` records from before `cutoff_us` that the tree lacks, in the order of their numbers.
        Return the number of appended leaves. The caller has locked the tree, which has `size` leaves."""
        scanned = select(evidence_trees.c.scanned_number).where(evidence_trees.c.tenant_id == tenant_id)
        same = and_(_nodes.tenant_id == _records.tenant_id, _nodes.record_number == _records.number)
        wanted = (
            select(_records.number, _records.leaf_hash)
            .select_from(evidence_records.outerjoin(evidence_tree_nodes, same))
            .where(_records.tenant_id == tenant_id, _records.number > scanned.scalar_subquery())
            .where(_records.signed_at_us < cutoff_us, _nodes.record_number.is_(None))
            .order_by(_records.number)
            .limit(count)
        )
        rows = (await tx.execute(wanted)).rows
        leaves = [(size + at, bytes(leaf), int(number)) for at, (number, leaf) in enumerate(rows)]
        await self._add(tx, tenant_id, 0, leaves)
        await self._complete(tx, tenant_id, size, size + len(leaves))
        changed = {"size": size + len(leaves)}
        if leaves:
            changed["scanned_number"] = leaves[-1][2]
        await self._change(tx, tenant_id, **changed)
        return len(leaves)

    async def end_pass(self, tx: Transaction, tenant_id: str, due_us: int) -> None:
        """Let the next pass be due, and begin where the pass before this one ended: records that were not visible to
        this pass, since their transactions were not committed, are found by the next one."""
        table = evidence_trees.c
        # SQLite's scalar function is called max.
        greatest = func.greatest if tx.dialect == "postgresql" else func.max
        newest = greatest(table.high_number, table.scanned_number)
        changed = {"high_number": newest, "scanned_number": table.high_number}
        statement = update(evidence_trees).where(table.tenant_id == tenant_id)
        await tx.execute(statement.values(due_at_us=due_us, **changed))

    async def root(self, tx: Transaction, tenant_id: str, size: int) -> bytes:
        """Return the root over the first `size` leaves."""
        return await self.hash_of(tx, tenant_id, Leaves(0, size))

    async def hash_of(self, tx: Transaction, tenant_id: str, leaves: Leaves) -> bytes:
        """Return the hash of a range that a tree, an inclusion proof or a consistency proof consists of."""
        if leaves.first == leaves.end:
            return merkle.EMPTY_ROOT
        hashes = [await self._full(tx, tenant_id, one) for one in full_subtrees(leaves)]
        top = hashes.pop()
        while hashes:
            top = merkle.node_hash(hashes.pop(), top)
        return top

    async def find(self, tx: Transaction, tenant_id: str, record_id: str) -> tuple[str, int, bytes] | None:
        """Return the evidence of a record, its index in the tree (from 0), and its leaf; None if the tree lacks it."""
        same = and_(_nodes.tenant_id == _records.tenant_id, _nodes.record_number == _records.number)
        wanted = select(_records.evidence_id, _nodes.position, _nodes.hash).select_from(
            evidence_records.join(evidence_tree_nodes, same)
        )
        mine = (_records.tenant_id == tenant_id, _records.record_id == record_id)
        row = (await tx.execute(wanted.where(*mine))).first()
        return None if row is None else (str(row[0]), int(row[1]), bytes(row[2]))

    async def leaves(
        self, tx: Transaction, tenant_id: str, first: int, count: int
    ) -> Sequence[tuple[bytes, str | None]]:
        """Return leaves from index `first` on, at most `count`, each with the core of its record as it is stored now;
        None for a record that is missing."""
        same = and_(_records.tenant_id == _nodes.tenant_id, _records.number == _nodes.record_number)
        wanted = select(_nodes.hash, _records.core).select_from(evidence_tree_nodes.outerjoin(evidence_records, same))
        mine = (_nodes.tenant_id == tenant_id, _nodes.level == 0, _nodes.position >= first)
        rows = await tx.execute(wanted.where(*mine).order_by(_nodes.position).limit(count))
        return [(bytes(row[0]), row[1]) for row in rows]

    async def _full(self, tx: Transaction, tenant_id: str, leaves: Leaves) -> bytes:
        """Return the hash of a full subtree, from at most 128 nodes of one level."""
        depth = (leaves.end - leaves.first).bit_length() - 1
        level, rest = divmod(depth, LEVEL_BITS)
        nodes = await self._read(tx, tenant_id, level, leaves.first >> LEVEL_BITS * level, 1 << rest)
        return merkle.root(nodes)

    async def _complete(self, tx: Transaction, tenant_id: str, before: int, after: int) -> None:
        """Store the nodes of higher levels that leaves `before`… `after` complete."""
        level = 1
        while after >> LEVEL_BITS * level:
            made = range(before >> LEVEL_BITS * level, after >> LEVEL_BITS * level)
            for position in made:
                below = await self._read(tx, tenant_id, level - 1, position << LEVEL_BITS, NODES_MOST)
                await self._add(tx, tenant_id, level, [(position, merkle.root(below), None)])
            level += 1

    async def _read(self, tx: Transaction, tenant_id: str, level: int, first: int, count: int) -> Sequence[bytes]:
        mine = (_nodes.tenant_id == tenant_id, _nodes.level == level)
        some = (_nodes.position >= first, _nodes.position < first + count)
        rows = await tx.execute(select(_nodes.hash).where(*mine, *some).order_by(_nodes.position))
        found = [bytes(row[0]) for row in rows]
        assert len(found) == count, "a node of the tree is missing"
        return found

    async def _add(
        self, tx: Transaction, tenant_id: str, level: int, nodes: Sequence[tuple[int, bytes, int | None]]
    ) -> None:
        columns = ("tenant_id", "level", "position", "hash", "record_number")
        rows = [(tenant_id, level, *node) for node in nodes]
        if rows:
            await tx.driver.append(evidence_tree_nodes, columns, rows)

    async def _change(self, tx: Transaction, tenant_id: str, **changed: int) -> None:
        await tx.execute(update(evidence_trees).where(evidence_trees.c.tenant_id == tenant_id).values(changed))
