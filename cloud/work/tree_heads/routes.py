"""Routes of tree heads and their proofs on the API host."""

from typing import Any

from cloud.foundation.http import Host, Paged, Parts, Route, Scopes
from cloud.work.tree_heads.handlers import TreeHeadHandlers
from cloud.work.tree_heads.schemas import (
    ConsistencyQuery,
    ConsistencyShown,
    InclusionQuery,
    InclusionShown,
    TreeHeadPage,
)

READ = Scopes.any_of("argus:provenance:read")
_HEAD = {
    "tenant_id": "tnt_7",
    "tree_size": 5120,
    "root_hash": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "signed_at": "2026-05-08T00:05:12.000000Z",
    "signature_alg": "ml-dsa-65",
    "signature_kid": "prov-2026-05-mldsa",
    "version": "2026.4",
    "signature": "4f2c…",
    "time_stamp": {"time": "2026-05-08T00:05:14.000000Z", "response": "MIIVSTAD…"},
}
_HASH = "sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"


def routes(parts: Parts) -> tuple[Route, ...]:
    h = TreeHeadHandlers(parts)
    return (_list(h), _inclusion(h), _consistency(h))


def _row(**facts: Any) -> Route:
    return Route(
        **{"method": "GET", "host": Host.API, "tag": "Evidence", "scopes": READ, "in_contract": False, **facts}
    )


def _list(h: TreeHeadHandlers) -> Route:
    return _row(
        path="/v1/provenance/tree-heads",
        handler=h.list,
        query=Paged,
        response=TreeHeadPage,
        responses={200: "The heads, newest first."},
        operation_id="listTreeHeads",
        summary="List the signed tree heads",
        description="After each midnight (UTC) the platform signs the root over all evidence records of the tenant. "
        "A time-stamping service (RFC 3161) confirms the time if the operator has set one. A day without records has "
        "no head. Keep the heads: one of them shows every later change of an earlier record.",
        response_example={"tree_heads": [_HEAD], "next_cursor": None},
    )


def _inclusion(h: TreeHeadHandlers) -> Route:
    return _row(
        path="/v1/provenance/inclusion",
        handler=h.inclusion,
        query=InclusionQuery,
        response=InclusionShown,
        responses={200: "The proof.", 404: "There is no such head, or its tree does not contain the record."},
        operation_id="proveInclusion",
        summary="Prove that a record is in a tree head",
        description="Returns the hashes from the leaf of a record to the root of a head (RFC 9162 section 2.1.3). The "
        "leaf is the SHA-256 of a zero byte and the canonical JSON of the record without its signature members.",
        response_example={
            "record_id": "01HFXY0000000000000000000A",
            "evidence_id": "evd_01HFXY0000000000000000000B",
            "leaf_index": 17,
            "leaf_hash": _HASH,
            "proof": [_HASH],
            "tree_head": _HEAD,
        },
    )


def _consistency(h: TreeHeadHandlers) -> Route:
    return _row(
        path="/v1/provenance/consistency",
        handler=h.consistency,
        query=ConsistencyQuery,
        response=ConsistencyShown,
        responses={200: "The proof.", 404: "There is no such head."},
        operation_id="proveConsistency",
        summary="Prove that one tree head continues another",
        description="Returns the hashes that show that the tree of the smaller head is the beginning of the other tree "
        "(RFC 9162 section 2.1.4): nothing was changed, removed or inserted in between.",
        response_example={"proof": [_HASH], "first": {**_HEAD, "tree_size": 4096}, "second": _HEAD},
    )
