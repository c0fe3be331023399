"""The files about tree heads that an expert gets: heads and proofs as JSON, and what OpenSSL verifies by itself.

Beside `tree-heads.json` there are, for the newest head and for the newest head with a time stamp, the bytes that the
service stamped (`.json`), its response (`.tsr`), the bytes that we signed (`.signed`), our signature (`.sig`), and the
public key in PEM.
"""

from collections.abc import Sequence
from itertools import pairwise

import orjson
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloud.foundation.db import Database
from cloud.foundation.viewer import Viewer
from cloud.work.provenance_keys import ProvenanceKey
from cloud.work.tree_heads.checking import HEADS_MAX
from cloud.work.tree_heads.handlers import consistency_document, inclusion_document
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.service import TreeHeads
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.tree_head import head_document


async def files_for_expert(
    database: Database, viewer: Viewer, keys: Sequence[ProvenanceKey], records: Sequence[str]
) -> dict[str, bytes]:
    """Return the files by their names. `records`: the ids of records that the newest head is proved to contain. Raises
    `RecordNotInTree`, `TreeHeadUnknown`."""
    service = TreeHeads(database)
    heads = (await service.page(viewer, None, HEADS_MAX))[::-1]
    steps = [await service.consistency(viewer, one.tree_size, two.tree_size) for one, two in pairwise(heads)]
    size = heads[-1].tree_size if heads else 0
    proofs = [await service.inclusion(viewer, size, record_id) for record_id in records]
    document = {
        "tree_heads": [head.document() for head in heads],
        "consistency": [
            {
                "first": step.first.tree_size,
                "second": step.second.tree_size,
                "proof": consistency_document(step)["proof"],
            }
            for step in steps
        ],
        "inclusion": [inclusion_document(proof) for proof in proofs],
    }
    files = {"tree-heads.json": orjson.dumps(document, option=orjson.OPT_INDENT_2)}
    stamped = [head for head in heads if head.stamp is not None]
    for head in {one.tree_size: one for one in (*heads[-1:], *stamped[-1:])}.values():
        files |= _files_of(head)
        files |= {f"{key.kid}.pem": _pem(key.public_key) for key in keys if key.kid == head.signature_kid}
    return files


def _files_of(head: StoredHead) -> dict[str, bytes]:
    name = f"head-{head.tree_size}"
    signed = canonical_json(head_document(head.head, head.signed.algorithm.value, head.signature_kid))
    files = {f"{name}.json": head.stamped_bytes, f"{name}.signed": signed, f"{name}.sig": head.signature}
    return files if head.stamp is None else {**files, f"{name}.tsr": head.stamp}


def _pem(public_key: bytes) -> bytes:
    key = MLDSA65PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
