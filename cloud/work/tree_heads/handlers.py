"""HTTP handlers of tree heads."""

from typing import Any

from cloud.foundation.http import Json, Listing, Paged, Parts, Request, Response, link_to_next
from cloud.work.tree_heads.model import StoredHead
from cloud.work.tree_heads.schemas import ConsistencyQuery, InclusionQuery
from cloud.work.tree_heads.service import Consistency, Inclusion, TreeHeads
from protocols.provenance.transcript import hash_text


class TreeHeadHandlers:
    """Handlers of the routes of tree heads and their proofs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._heads = TreeHeads(parts.database)

    async def list(self, request: Request) -> Response:
        query = request.query
        assert isinstance(query, Paged)
        listing = Listing(cursors=self._parts.cursors, viewer=request.viewer, route=request.route.name, position=(int,))

        async def read(before: int | None, count: int) -> Any:
            return await self._heads.page(request.viewer, before, count)

        def position_of(head: StoredHead) -> int:
            return head.tree_size

        page = await listing.read_page(query.cursor, query.limit, read, position_of)
        document = {"tree_heads": [head.document() for head in page.rows], "next_cursor": page.next_cursor}
        return Json(document, headers=link_to_next(self._parts.bases, request, page.next_cursor))

    async def inclusion(self, request: Request) -> Response:
        query = request.query
        assert isinstance(query, InclusionQuery)
        return Json(inclusion_document(await self._heads.inclusion(request.viewer, query.tree_size, query.record_id)))

    async def consistency(self, request: Request) -> Response:
        query = request.query
        assert isinstance(query, ConsistencyQuery)
        return Json(consistency_document(await self._heads.consistency(request.viewer, query.first, query.second)))


def inclusion_document(found: Inclusion) -> dict[str, Any]:
    """Return a proof of inclusion as it is published."""
    return {
        "record_id": found.record_id,
        "evidence_id": found.evidence_id,
        "leaf_index": found.leaf_index,
        "leaf_hash": hash_text(found.leaf_hash),
        "proof": [hash_text(one) for one in found.proof],
        "tree_head": found.head.document(),
    }


def consistency_document(found: Consistency) -> dict[str, Any]:
    """Return a proof of consistency as it is published."""
    return {
        "proof": [hash_text(one) for one in found.proof],
        "first": found.first.document(),
        "second": found.second.document(),
    }
