"""Check the tree of a tenant against its evidence records: every record, leaf, root, signature and time stamp.

The check reads what is stored, and an administrator of the database can also change the rows that it compares. Only a
head that someone else has kept shows such a change, so the check compares kept heads too.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from cryptography import x509

from cloud.foundation.db import Database
from cloud.foundation.moments import write_moment
from cloud.work.provenance_keys import TenantVerifyKeys
from cloud.work.tree_heads.errors import TimeStampRefused
from cloud.work.tree_heads.model import StoredHead, cutoff_of, next_due_us
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.time_stamps import verified
from cloud.work.tree_heads.tree_store import LEVEL_BITS, TreeStore
from protocols.errors import RemoteProtocolError
from protocols.provenance import merkle
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.signatures import Algorithm
from protocols.provenance.tree_head import HEAD_CONTEXT, head_document

CHUNK_LEAVES = 1_000
CHUNK_NODES = 16
HEADS_MAX = 10_000
"""Heads of one check: of 27 years."""
PASS_US = 3_600_000_000
"""Time after midnight after which the records of the day before must be in the tree."""


class TreeCheck:
    """Checks the tree of one tenant. `certificates` are those of the time-stamping service; without them, time stamps
    are not checked. `kept` are heads that someone else has kept."""

    def __init__(
        self,
        database: Database,
        tenant_id: str,
        keys: TenantVerifyKeys,
        certificates: Sequence[x509.Certificate],
        kept: Sequence[StoredHead] = (),
    ) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._keys = keys
        self._certificates = certificates
        self._kept = sorted(kept, key=lambda head: head.tree_size)
        self._trees = TreeStore()

    async def faults(self, now_us: int) -> AsyncIterator[str]:
        """Yield a sentence for each fault: a record that was changed or removed, or is missing in the tree; a head that
        was removed, or whose root, signature or time stamp is wrong; and a wrong hash of the tree."""
        async with self._database.read() as tx:
            state = await self._trees.state(tx, self._tenant_id)
            found = await HeadStore().list(tx, self._tenant_id, before=None, count=HEADS_MAX)
        stored = {head.tree_size: head for head in found}
        newest = max(stored, default=0)
        if state.heads_stored < state.heads:
            yield f"{state.heads - state.heads_stored} of {state.heads} signed heads were removed."
        if state.size > newest and state.due_at_us == next_due_us(now_us):
            yield (
                f"The tree has {state.size} records, and its newest head {newest}: a head was removed, or argus-cloud "
                "tree-heads make was interrupted."
            )
        async for fault in self._missing_records(now_us):
            yield fault
        async for fault in self._faults_of_leaves(state.size, stored):
            yield fault
        async for fault in self._faults_of_nodes(state.size):
            yield fault

    async def _missing_records(self, now_us: int) -> AsyncIterator[str]:
        """Yield the first record that the tree must have, and lacks."""
        cutoff_us = cutoff_of(now_us - PASS_US)
        async with self._database.read() as tx:
            number = await self._trees.first_missing(tx, self._tenant_id, before_us=cutoff_us)
        if number is not None:
            yield (
                f"Records from before {write_moment(cutoff_us)} are not in the tree. The first one has the number "
                f"{number} in the table evidence_records."
            )

    async def _faults_of_leaves(self, size: int, stored: Mapping[int, StoredHead]) -> AsyncIterator[str]:
        """Compare each leaf with its record, and the root over the leaves with each head."""
        heads = sorted((*stored.values(), *self._kept), key=lambda head: head.tree_size)
        running, index = merkle.RunningRoot(), 0
        while True:
            while heads and heads[0].tree_size == index:
                head = heads.pop(0)
                for fault in self._faults_of_head(head, running.root(), stored):
                    yield f"Head of {head.tree_size} records, signed at {head.head.signed_at}: {fault}"
            if index >= size and not heads:
                return
            count = min(CHUNK_LEAVES, (heads[0].tree_size if heads else size) - index)
            async with self._database.read() as tx:
                leaves = await self._trees.leaves(tx, self._tenant_id, index, count)
            for position, leaf, core in leaves:
                if position != index:
                    break
                running.add(leaf)
                if core is None:
                    yield f"Record {index} of the tree was removed."
                elif merkle.leaf_hash(core) != leaf:
                    yield f"Record {index} of the tree was changed."
                index += 1
                count -= 1
            if count:
                needed = max(size, *(head.tree_size for head in heads), 0)
                yield f"The tree has only the first {index} of {needed} leaves, so the heads of more are not checked."
                return

    def _faults_of_head(self, head: StoredHead, root: bytes, stored: Mapping[int, StoredHead]) -> Iterator[str]:
        if root != head.root_hash:
            yield "its root is not that of the records."
        message = canonical_json(head_document(head.head, Algorithm.ML_DSA_65.value, head.signature_kid))
        try:
            key = self._keys.find(Algorithm.ML_DSA_65, head.signature_kid)
        except RemoteProtocolError:
            yield f"its key {head.signature_kid} was changed."
        else:
            if key is None:
                yield f"its key {head.signature_kid} is unknown."
            elif not key.verify(HEAD_CONTEXT, message, head.signature):
                yield "its signature is not valid."
            elif not self._includes(head):
                yield f"it states a time at which its key {head.signature_kid} did not sign."
        yield from self._faults_of_stamp(head)
        present = stored.get(head.tree_size)
        if present is None:
            yield "it was kept, and is not stored any more."
        elif (present.signed_at_us, present.signature) != (head.signed_at_us, head.signature):
            yield "it was kept, and another head is stored in its place."
        elif head.stamp is not None and present.stamp is None:
            yield "it was kept with a time stamp, which was removed."

    def _includes(self, head: StoredHead) -> bool:
        """Return whether the stated time of a head is in the period of its key."""
        period = self._keys.period(Algorithm.ML_DSA_65, head.signature_kid)
        return period is None or period.includes(head.head.signed_at)

    def _faults_of_stamp(self, head: StoredHead) -> Iterator[str]:
        if (head.stamp is None) != (head.stamped_at_us is None):
            yield "its time stamp was removed."
        elif head.stamp is not None and self._certificates:
            try:
                found = verified(head.stamp, head.stamped_bytes, [*self._certificates])
            except TimeStampRefused:
                yield "its time stamp is not valid."
            else:
                if found.at_us != head.stamped_at_us:
                    yield "its time stamp has another time."

    async def _faults_of_nodes(self, size: int) -> AsyncIterator[str]:
        """Compare each hash above the leaves, from which proofs are made, with the hashes below it."""
        level = 1
        while size >> LEVEL_BITS * level:
            end = size >> LEVEL_BITS * level
            for first in range(0, end, CHUNK_NODES):
                async with self._database.read() as tx:
                    count = min(CHUNK_NODES, end - first)
                    wrong = await self._trees.wrong_nodes(tx, self._tenant_id, level, first, count)
                for position in wrong:
                    yield f"Hash {position} of level {level} of the tree is missing or wrong."
            level += 1
