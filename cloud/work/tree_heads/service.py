"""Read signed tree heads, prove that a record is in one, and that one tree is the beginning of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from cloud.work.evidence import EvidenceStore
from cloud.work.tree_heads.errors import RecordNotInTree, TreeHeadUnknown
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.tree_store import TreeStore
from protocols.provenance.tree_ranges import consistency_ranges, inclusion_ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Proof that a leaf is in a tree: the hashes from the leaf up (RFC 9162 2.1.3)."""

    head: StoredHead
    evidence_id: str
    record_id: str
    leaf_index: int
    leaf_hash: bytes
    proof: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Proof that the tree of one head is the beginning of the tree of a later one (RFC 9162 2.1.4)."""

    first: StoredHead
    second: StoredHead
    proof: Sequence[bytes]


class TreeHeads:
    """Use cases of tree heads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heads = HeadStore()
        self._trees = TreeStore()
        self._evidence = EvidenceStore()

    async def page(self, viewer: Viewer, before: int | None, count: int) -> Sequence[StoredHead]:
        """Return at most `count` heads of the viewer's tenant, newest first; `before`: only those of smaller trees."""
        async with self._database.read() as tx:
            return await self._heads.list(tx, viewer.tenant_id, before=before, count=count)

    async def inclusion(self, viewer: Viewer, tree_size: int, record_id: str) -> Inclusion:
        """Return the proof that a record is in the tree of a head. Raises `TreeHeadUnknown`, and
        `RecordNotInTree`, which is also the error for evidence that the viewer may not see."""
        async with self._database.read() as tx:
            head = await self._heads.find(tx, viewer.tenant_id, tree_size)
            if head is None:
                raise TreeHeadUnknown
            found = await self._trees.find(tx, viewer.tenant_id, record_id)
            if found is None or found[1] >= tree_size or not await self._evidence.find(tx, viewer, found[0]):
                raise RecordNotInTree
            evidence_id, index, leaf = found
            ranges = inclusion_ranges(index, tree_size)
            proof = [await self._trees.hash_of(tx, viewer.tenant_id, one) for one in ranges]
        return Inclusion(
            head=head, evidence_id=evidence_id, record_id=record_id, leaf_index=index, leaf_hash=leaf, proof=proof
        )

    async def consistency(self, viewer: Viewer, first_size: int, second_size: int) -> Consistency:
        """Return the proof that the tree of the smaller head is the beginning of the tree of the other. Raises
        `TreeHeadUnknown`."""
        smaller, larger = sorted((first_size, second_size))
        async with self._database.read() as tx:
            first = await self._heads.find(tx, viewer.tenant_id, smaller)
            second = await self._heads.find(tx, viewer.tenant_id, larger)
            if first is None or second is None:
                raise TreeHeadUnknown
            ranges = consistency_ranges(smaller, larger)
            proof = [await self._trees.hash_of(tx, viewer.tenant_id, one) for one in ranges]
        return Consistency(first=first, second=second, proof=proof)
