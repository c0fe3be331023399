"""Check the trees of a tenant against its evidence records: every leaf, every root, every signature and time stamp."""

from collections.abc import AsyncIterator, Sequence

from cryptography import x509

from cloud.foundation.db import Database
from cloud.work.provenance_keys import TenantVerifyKeys
from cloud.work.tree_heads.errors import TimeStampRefused
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.time_stamps import verified
from cloud.work.tree_heads.tree_store import TreeStore
from protocols.provenance import merkle
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.signatures import Algorithm
from protocols.provenance.tree_head import HEAD_CONTEXT, head_document

CHUNK_LEAVES = 1_000
HEADS_MAX = 10_000
"""Heads of one check: of 27 years."""


async def faults_of(
    database: Database, tenant_id: str, keys: TenantVerifyKeys, certificates: Sequence[x509.Certificate]
) -> AsyncIterator[str]:
    """Yield a sentence for each fault: a record that was changed or removed after the tree took it, and a head whose
    root, signature or time stamp is not right. `certificates`: those of the time-stamping service; without them, time
    stamps are not checked."""
    async with database.read() as tx:
        heads = (await HeadStore().list(tx, tenant_id, before=None, count=HEADS_MAX))[::-1]
    running, index = merkle.RunningRoot(), 0
    for head in heads:
        while index < head.tree_size:
            count = min(CHUNK_LEAVES, head.tree_size - index)
            async with database.read() as tx:
                leaves = await TreeStore().leaves(tx, tenant_id, index, count)
            if len(leaves) < count:
                yield f"The tree has only {index + len(leaves)} of the {head.tree_size} leaves of its head."
                return
            for leaf, core in leaves:
                running.add(leaf)
                if core is None:
                    yield f"Record {index} of the tree was removed."
                elif merkle.leaf_hash(core.encode()) != leaf:
                    yield f"Record {index} of the tree was changed."
                index += 1
        for fault in _faults_of_head(head, running.root(), keys, certificates):
            yield f"Head of {head.tree_size} records, signed at {head.head.signed_at}: {fault}"


def _faults_of_head(
    head: StoredHead, root: bytes, keys: TenantVerifyKeys, certificates: Sequence[x509.Certificate]
) -> list[str]:
    faults = []
    if root != head.root_hash:
        faults.append("its root is not that of the records.")
    key = keys.find(Algorithm.ML_DSA_65, head.signature_kid)
    message = canonical_json(head_document(head.head, Algorithm.ML_DSA_65.value, head.signature_kid))
    if key is None:
        faults.append(f"its key {head.signature_kid} is unknown.")
    elif not key.verify(HEAD_CONTEXT, message, head.signature):
        faults.append("its signature is not valid.")
    if head.stamp is not None and certificates:
        try:
            found = verified(head.stamp, head.stamped_bytes, [*certificates])
        except TimeStampRefused:
            faults.append("its time stamp is not valid.")
        else:
            if found.at_us != head.stamped_at_us:
                faults.append("its time stamp has another time.")
    return faults
