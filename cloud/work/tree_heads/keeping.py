"""Make the daily head of each tenant's tree: append the day's records, compute the root, and sign it.

Each chunk of records is a transaction, after which the work may be interrupted: the next run goes on behind it. A head
contains all records from before its midnight (UTC). It is not made on a day without records, since it would equal the
head before.
"""

from dataclasses import replace

from cloud.foundation.db import Transaction
from cloud.work.provenance_keys import RecordSigner
from cloud.work.tree_heads.model import StoredHead, cutoff_of, next_due_us
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.tree_store import TreeStore
from protocols.provenance.signatures import Algorithm
from protocols.provenance.tree_head import sign_head

CHUNK_RECORDS = 500
"""Records that one transaction appends: some milliseconds."""


class TreeKeeper:
    """Makes heads as a chore of the worker."""

    def __init__(self, signer: RecordSigner, *, stamps: bool) -> None:
        """`stamps`: heads are sent to a time-stamping service."""
        self._signer = signer
        self._stamps = stamps
        self._trees = TreeStore()
        self._heads = HeadStore()

    async def work(self, tx: Transaction, now_us: int) -> int:
        """Do one chunk of the work that is due; return the number of appended records and heads, 0 if none was due.
        Raises the errors of the master key."""
        await self._trees.add_missing(tx, next_due_us(now_us))
        due = await self._trees.claim_due(tx, now_us)
        if due is None:
            return 0
        tenant_id, size = due
        return await self._advance(tx, tenant_id, size, now_us, cutoff_of(now_us))

    async def make_now(self, tx: Transaction, tenant_id: str, now_us: int) -> int:
        """Do one chunk of the work for a tenant whose head an operator wants now, with the records of today. Return 0
        when the head is made, or when it would equal the last one."""
        await self._trees.add_missing(tx, next_due_us(now_us))
        size = await self._trees.lock(tx, tenant_id)
        done = await self._advance(tx, tenant_id, size, now_us, now_us)
        return done if done == CHUNK_RECORDS else 0

    async def _advance(self, tx: Transaction, tenant_id: str, size: int, now_us: int, cutoff_us: int) -> int:
        appended = await self._trees.append(tx, tenant_id, size, cutoff_us, CHUNK_RECORDS)
        if appended == CHUNK_RECORDS:
            return appended
        await self._sign(tx, tenant_id, size + appended, now_us)
        await self._trees.end_pass(tx, tenant_id, next_due_us(now_us))
        return appended + 1

    async def _sign(self, tx: Transaction, tenant_id: str, size: int, now_us: int) -> None:
        latest = await self._heads.latest(tx, tenant_id)
        if size == (0 if latest is None else latest.tree_size):
            return
        (signer,) = [one for one in await self._signer.of_tenant(tx, tenant_id) if one.algorithm is Algorithm.ML_DSA_65]
        unsigned = StoredHead(
            tenant_id=tenant_id,
            tree_size=size,
            root_hash=await self._trees.root(tx, tenant_id, size),
            # Never before the head before it, even if the clock was set back.
            signed_at_us=max(now_us, 0 if latest is None else latest.signed_at_us),
            signature_kid=signer.kid,
            signature=b"",
            stamp_due_us=now_us if self._stamps else None,
        )
        await self._heads.add(tx, replace(unsigned, signature=sign_head(unsigned.head, signer).value))
