"""Make the daily head of each tenant's tree: append the day's records, compute the root, and sign it.

Each chunk of records is a transaction, after which the work may be interrupted: the next run goes on behind it. A head
contains all records from before its midnight (UTC). It is not made on a day without records, since it would equal the
head before.

A tree whose rows were changed by hand gets no head, and does not keep the trees of other tenants from theirs.
"""

from dataclasses import replace

import structlog

from cloud.foundation.db import ConstraintViolated, Transaction
from cloud.work.provenance_keys import RecordSigner
from cloud.work.tree_heads.errors import TreeDamaged
from cloud.work.tree_heads.model import StoredHead, cutoff_of, next_due_us
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.tree_store import TreeStore
from protocols.provenance.signatures import Algorithm
from protocols.provenance.tree_head import sign_head

CHUNK_RECORDS = 500
"""Records that one transaction appends: some milliseconds."""
DAMAGED_RETRY_US = 3_600_000_000
"""Time after which the head of a damaged tree is attempted again."""

log = structlog.get_logger()


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
        due = await self._trees.claim_due(tx, now_us, next_due_us(now_us))
        if due is None:
            return 0
        tenant_id, size = due
        try:
            async with tx.savepoint():
                appended = await self._advance(tx, tenant_id, size, now_us, cutoff_of(now_us))
                if appended == CHUNK_RECORDS:
                    return appended
                await self._trees.end_pass(tx, tenant_id, now_us, next_due_us(now_us))
        except (TreeDamaged, ConstraintViolated) as error:
            log.warning("tree_heads.tree_damaged", tenant=tenant_id, code=error.code)
            later_us = min(now_us + DAMAGED_RETRY_US, next_due_us(now_us))
            await self._trees.set_damaged(tx, tenant_id, now_us, later_us)
            return 1
        return appended + 1

    async def make_now(self, tx: Transaction, tenant_id: str, now_us: int) -> int:
        """Do one chunk of the work for a tenant whose head an operator wants now, with the records of today. Return 0
        when the head is made, or when it would equal the last one. The daily pass is not ended, so it looks again at
        what this work has looked at. Raises `TreeDamaged`, `ConstraintViolated`."""
        await self._trees.add_missing(tx, next_due_us(now_us))
        size = await self._trees.lock(tx, tenant_id)
        appended = await self._advance(tx, tenant_id, size, now_us, now_us)
        if appended == CHUNK_RECORDS:
            return appended
        await self._trees.begin_again(tx, tenant_id)
        return 0

    async def _advance(self, tx: Transaction, tenant_id: str, size: int, now_us: int, cutoff_us: int) -> int:
        """Append a chunk of records; sign the head if it is the last chunk. Return the number of records."""
        appended = await self._trees.append(tx, tenant_id, size, cutoff_us, now_us, CHUNK_RECORDS)
        if appended < CHUNK_RECORDS:
            await self._sign(tx, tenant_id, size + appended, now_us)
        return appended

    async def _sign(self, tx: Transaction, tenant_id: str, size: int, now_us: int) -> None:
        latest = await self._heads.latest(tx, tenant_id)
        signed_size = 0 if latest is None else latest.tree_size
        if size < signed_size:
            raise TreeDamaged
        if size == signed_size:
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
        await self._trees.count_head(tx, tenant_id)
        await self._heads.add(tx, replace(unsigned, signature=sign_head(unsigned.head, signer).value))
