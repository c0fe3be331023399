"""SQL statements on the tree of a tenant's evidence records: append leaves, and compute hashes of ranges of leaves."""

from collections.abc import Sequence

import structlog
from sqlalchemy import and_, func, or_, select, update

from cloud.access.tenancy import TenancyStore
from cloud.foundation.db import Transaction, insert
from cloud.work.evidence import evidence_records
from cloud.work.tree_heads.errors import TreeDamaged
from cloud.work.tree_heads.model import SETTLE_US, TreeState
from cloud.work.tree_heads.tables import evidence_tree_nodes, evidence_trees, tree_heads
from protocols.provenance import merkle
from protocols.provenance.tree_ranges import Leaves, full_subtrees

LEVEL_BITS = 8
NODES_MOST = 1 << LEVEL_BITS
"""Nodes of a level that make one of the next level."""

_nodes = evidence_tree_nodes.c
_records = evidence_records.c
_HEADS_STORED = (
    select(func.count()).where(tree_heads.c.tenant_id == evidence_trees.c.tenant_id).correlate(evidence_trees)
).scalar_subquery()
_OF_RECORD = and_(_nodes.tenant_id == _records.tenant_id, _nodes.record_number == _records.number)

log = structlog.get_logger()


class TreeStore:
    """SQL statements on the trees of all tenants."""

    async def add_missing(self, tx: Transaction, due_us: int) -> None:
        """Give every tenant a tree, which is empty at first."""
        known = {row[0] for row in await tx.execute(select(evidence_trees.c.tenant_id))}
        empty = {"size": 0, "scanned_number": 0, "high_number": 0, "due_at_us": due_us}
        for tenant in await TenancyStore().list_tenants(tx):
            if tenant.id not in known:
                await tx.execute(insert(evidence_trees).values(tenant_id=tenant.id, **empty).on_conflict_do_nothing())

    async def claim_due(self, tx: Transaction, now_us: int, next_due_us: int) -> tuple[str, int] | None:
        """Lock the tree whose head has been due for longest; return its tenant and size, None if no head is due. A tree
        that another process has locked is left to it. A tree is also due if it is not due before `next_due_us`, the
        time at which a head of now would be due next: only a wrong clock or a change by hand sets such a time."""
        table = evidence_trees.c
        is_due = or_(table.due_at_us <= now_us, table.due_at_us > next_due_us)
        due = select(table.tenant_id, table.size).where(is_due)
        row = (await tx.execute(due.order_by(table.due_at_us).limit(1).with_for_update(skip_locked=True))).first()
        return None if row is None else (str(row[0]), int(row[1]))

    async def oldest_due_us(self, tx: Transaction) -> int | None:
        """Return the time at which the head that has been due for longest was due; None if no tenant has a tree."""
        return (await tx.execute(select(func.min(evidence_trees.c.due_at_us)))).scalar()  # type: ignore[no-any-return]

    async def damaged(self, tx: Transaction, next_due_us: int) -> tuple[int, str] | None:
        """Return the number of trees that the last pass found damaged, that lack heads, or that are not due before
        `next_due_us`; and the tenant of one of them. None if there is no such tree."""
        table = evidence_trees.c
        lacks_heads = table.heads > _HEADS_STORED
        wrong = or_(table.damaged_at_us.is_not(None), table.due_at_us > next_due_us, lacks_heads)
        row = (await tx.execute(select(func.count(), func.min(table.tenant_id)).where(wrong))).first()
        return None if row is None or not row[0] else (int(row[0]), str(row[1]))

    async def count_head(self, tx: Transaction, tenant_id: str) -> None:
        """Count a head that is signed now, so that the removal of a head is found. Heads that the release before signed
        are counted too."""
        table = evidence_trees.c
        stored = (await tx.execute(select(table.heads, _HEADS_STORED).where(table.tenant_id == tenant_id))).first()
        await self._change(tx, tenant_id, heads=1 + max(stored or (0,)))

    async def lock(self, tx: Transaction, tenant_id: str) -> int:
        """Lock the tree of a tenant and return its size; 0 if the tenant has none."""
        table = evidence_trees.c
        wanted = select(table.size).where(table.tenant_id == tenant_id).with_for_update()
        return int((await tx.execute(wanted)).scalar() or 0)

    async def state(self, tx: Transaction, tenant_id: str) -> TreeState:
        """Return the state of the tree of a tenant. A tenant without a tree has an empty one."""
        table = evidence_trees.c
        wanted = select(table.size, table.heads, _HEADS_STORED, table.due_at_us)
        row = (await tx.execute(wanted.where(table.tenant_id == tenant_id))).first()
        return TreeState(*(int(one) for one in row)) if row is not None else TreeState(0, 0, 0, 0)

    async def append(self, tx: Transaction, tenant_id: str, size: int, cutoff_us: int, now_us: int, count: int) -> int:
        """Append at most `count` records from before `cutoff_us` that the tree lacks, in the order of their numbers.
        Records from after `now_us` are appended too: their clock was wrong, and they must not be left out until then.
        Return the number of appended leaves. The caller has locked the tree, which has `size` leaves. Raises
        `TreeDamaged`."""
        scanned = await self._scanned(tx, tenant_id)
        in_time = or_(_records.signed_at_us < cutoff_us, _records.signed_at_us > now_us)
        wanted = (
            select(_records.number, _records.leaf_hash)
            .select_from(evidence_records.outerjoin(evidence_tree_nodes, _OF_RECORD))
            .where(_records.tenant_id == tenant_id, _records.number > scanned, in_time, _nodes.record_number.is_(None))
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

    async def end_pass(self, tx: Transaction, tenant_id: str, now_us: int, due_us: int) -> None:
        """Let the next pass be due, and begin behind the last number up to which the tree has every record.

        A visible record that is left out, since it is from after midnight, is always behind that number. So is a record
        whose transaction is not committed yet: the number only moves to where a pass ended at least `SETTLE_US` ago,
        and no transaction is open for so long."""
        start, high, ended_at_us, _ = await self._places(tx, tenant_id)
        missing = await self.first_missing(tx, tenant_id, after=start)
        if ended_at_us + SETTLE_US <= now_us:
            start = max(start, high)
        if missing is not None:
            start = min(start, missing - 1)
        newest = await tx.execute(select(func.max(_nodes.record_number)).where(_nodes.tenant_id == tenant_id))
        places = {"start_number": start, "scanned_number": start, "high_number": max(high, newest.scalar() or 0)}
        await self._change(tx, tenant_id, **places, ended_at_us=now_us, due_at_us=due_us, damaged_at_us=None)

    async def begin_again(self, tx: Transaction, tenant_id: str) -> None:
        """Let the present pass look again at everything behind its beginning."""
        await self._change(tx, tenant_id, scanned_number=evidence_trees.c.start_number)

    async def set_damaged(self, tx: Transaction, tenant_id: str, now_us: int, due_us: int) -> None:
        """Record that rows of a tree were changed by hand. The next attempt is at `due_us`."""
        await self._change(tx, tenant_id, damaged_at_us=now_us, due_at_us=due_us)

    async def first_missing(
        self, tx: Transaction, tenant_id: str, *, after: int = 0, before_us: int | None = None
    ) -> int | None:
        """Return the smallest number of a record that the tree lacks, behind `after`, and from before `before_us`; None
        if there is none."""
        wanted = (
            select(_records.number)
            .select_from(evidence_records.outerjoin(evidence_tree_nodes, _OF_RECORD))
            .where(_records.tenant_id == tenant_id, _records.number > after, _nodes.record_number.is_(None))
        )
        if before_us is not None:
            wanted = wanted.where(_records.signed_at_us < before_us)
        return (await tx.execute(wanted.order_by(_records.number).limit(1))).scalar()  # type: ignore[no-any-return]

    async def _scanned(self, tx: Transaction, tenant_id: str) -> int:
        """Return the number behind which the present pass goes on. No number is larger than that of the newest record,
        since records are never deleted. So a larger one was set by hand, and the pass looks at all records again."""
        start, high, _, scanned = await self._places(tx, tenant_id)
        newest = await tx.execute(select(func.max(_records.number)).where(_records.tenant_id == tenant_id))
        if max(start, high, scanned) <= (newest.scalar() or 0):
            return scanned
        log.warning("tree_heads.places_wrong", tenant=tenant_id)
        await self._change(tx, tenant_id, start_number=0, high_number=0, scanned_number=0)
        return 0

    async def _places(self, tx: Transaction, tenant_id: str) -> tuple[int, int, int, int]:
        """Return `start_number`, `high_number`, `ended_at_us` and `scanned_number` of a tree; zeros without a tree."""
        table = evidence_trees.c
        wanted = select(table.start_number, table.high_number, table.ended_at_us, table.scanned_number)
        row = (await tx.execute(wanted.where(table.tenant_id == tenant_id))).first()
        return (0, 0, 0, 0) if row is None else (int(row[0]), int(row[1]), int(row[2]), int(row[3]))

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
        wanted = select(_records.evidence_id, _nodes.position, _nodes.hash).select_from(
            evidence_records.join(evidence_tree_nodes, _OF_RECORD)
        )
        mine = (_records.tenant_id == tenant_id, _records.record_id == record_id)
        row = (await tx.execute(wanted.where(*mine))).first()
        return None if row is None else (str(row[0]), int(row[1]), bytes(row[2]))

    async def leaves(
        self, tx: Transaction, tenant_id: str, first: int, count: int
    ) -> Sequence[tuple[int, bytes, bytes | None]]:
        """Return at most `count` leaves from index `first` on: the index, the leaf, and the core of its record as it is
        stored now; None for a record that is missing."""
        wanted = select(_nodes.position, _nodes.hash, _records.core).select_from(
            evidence_tree_nodes.outerjoin(evidence_records, _OF_RECORD)
        )
        mine = (_nodes.tenant_id == tenant_id, _nodes.level == 0, _nodes.position >= first)
        rows = await tx.execute(wanted.where(*mine).order_by(_nodes.position).limit(count))
        return [(int(row[0]), bytes(row[1]), _bytes_of(row[2])) for row in rows]

    async def wrong_nodes(self, tx: Transaction, tenant_id: str, level: int, first: int, count: int) -> Sequence[int]:
        """Return the positions of those nodes of a level above the leaves, among `count` from `first` on, that are
        missing, or are not the hash of the nodes below them."""
        mine = (_nodes.tenant_id == tenant_id, _nodes.level == level)
        some = (_nodes.position >= first, _nodes.position < first + count)
        rows = await tx.execute(select(_nodes.position, _nodes.hash).where(*mine, *some))
        stored = {int(row[0]): bytes(row[1]) for row in rows}
        wrong = []
        for position in range(first, first + count):
            try:
                below = await self._read(tx, tenant_id, level - 1, position << LEVEL_BITS, NODES_MOST)
            except TreeDamaged:
                wrong.append(position)
                continue
            if stored.get(position) != merkle.root(below):
                wrong.append(position)
        return wrong

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
        if len(found) != count:
            raise TreeDamaged
        return found

    async def _add(
        self, tx: Transaction, tenant_id: str, level: int, nodes: Sequence[tuple[int, bytes, int | None]]
    ) -> None:
        columns = ("tenant_id", "level", "position", "hash", "record_number")
        rows = [(tenant_id, level, *node) for node in nodes]
        if rows:
            await tx.driver.append(evidence_tree_nodes, columns, rows)

    async def _change(self, tx: Transaction, tenant_id: str, **changed: object) -> None:
        await tx.execute(update(evidence_trees).where(evidence_trees.c.tenant_id == tenant_id).values(changed))


def _bytes_of(core: str | bytes | None) -> bytes | None:
    """Return the bytes of a core. A column of SQLite may have bytes, if it was changed by hand."""
    return core.encode() if isinstance(core, str) else core
