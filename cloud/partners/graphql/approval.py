"""Find the plan of a request's document among the documents that its app may send.

What is not approved is refused with one error, whether the document exists for other apps or not at all (contract
matrix A-088, S-112). Only approved documents enter the caches, so that a client cannot displace them.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import Generic, TypeVar

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.http import BucketLimiter, Caller, Policy, TooManyRequests
from cloud.partners.graphql.document import Document, digest_of, read_document
from cloud.partners.graphql.errors import GraphqlMalformed, OperationNotApproved
from cloud.partners.graphql.schema import Plan, built_in_bundles, make_plan
from cloud.partners.graphql.schemas import GraphqlRequest
from cloud.partners.graphql.store import BundleStore

log = structlog.get_logger()

PLANS_MAX = 512
"""Plans in memory. A plan of the longest document has about 2 MB, a usual one 20 kB."""
TEXTS_MAX = 4_096
"""Texts of approved documents whose normal form is known, by digest."""
NEW_TEXTS = Policy("graphql-texts", 60)
"""Texts per minute of a tenant's app that are parsed to find out whether they are approved: 10 kB take 23 ms of
processor time. Texts as registered and texts whose normal form is known do not count."""
_ID_PREFIX = "sha256:"

K = TypeVar("K")
V = TypeVar("V")


class _Recent(Generic[K, V]):
    """The `count_max` values that were used last."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._values: OrderedDict[K, V] = OrderedDict()

    def find(self, key: K) -> V | None:
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def keep(self, key: K, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._count_max:
            self._values.popitem(last=False)


@cache
def _built_in_documents() -> Mapping[str, Document]:
    """Return the published documents by both digests, as those of the table. They are parsed once in a process."""
    found: dict[str, Document] = {}
    for bundle in built_in_bundles():
        for text in bundle.documents:
            document = read_document(text)
            found |= {document.digest: document, digest_of(text): document}
    return found


class Approval:
    """Finds the plans of approved documents."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._store = BundleStore()
        self._limiter = BucketLimiter(clock)
        self._plans: _Recent[str, Plan] = _Recent(PLANS_MAX)
        self._digests: _Recent[str, str] = _Recent(TEXTS_MAX)
        """Digest of the text that a client sent → digest of its normal form."""
        self._built_in = _built_in_documents()

    async def find_plan(self, caller: Caller, request: GraphqlRequest) -> Plan:
        """Return the plan of the document in a request. Raises `GraphqlMalformed`, `DocumentUnreadable`,
        `DocumentTooComplex`, `OperationNotApproved`, `TooManyRequests`."""
        if request.query is None:
            return await self._find_by_id(caller, _requested_id(request))
        hashed = digest_of(request.query)
        _check_ids(request, hashed)
        known = self._digests.find(hashed)
        # A text as registered is found by its own digest.
        plan = await self._find(caller, known or hashed)
        if plan is not None:
            return plan
        if known is not None:
            raise OperationNotApproved
        self._count_new_text(caller)
        document = read_document(request.query)
        plan = await self._find_by_id(caller, document.digest)
        self._digests.keep(hashed, document.digest)
        return plan

    def _count_new_text(self, caller: Caller) -> None:
        draw = self._limiter.draw(NEW_TEXTS, (caller.viewer.tenant_id, caller.client_id))
        if not draw.allowed:
            detail = "(Too many documents that are not known. Send documents as they are registered, or their ids.)"
            raise TooManyRequests(detail, headers=draw.fields())

    async def _find_by_id(self, caller: Caller, digest: str) -> Plan:
        plan = await self._find(caller, digest)
        if plan is None:
            raise OperationNotApproved
        return plan

    async def _find(self, caller: Caller, digest: str) -> Plan | None:
        built_in = self._built_in.get(digest)
        if built_in is not None:
            return self._plan(built_in.digest, built_in.text)
        viewer = caller.viewer
        found = await self._store.approved(self._database.peek, viewer.tenant_id, caller.client_id, digest)
        return None if found is None else self._plan(*found)

    def _plan(self, digest: str, text: str) -> Plan:
        plan = self._plans.find(digest)
        if plan is None:
            try:
                plan = make_plan(read_document(text))
            except DomainError as error:
                # The schema of an earlier release had a field that this one has not.
                log.warning("graphql.document_outdated", digest=digest, code=error.code)
                raise OperationNotApproved from None
            self._plans.keep(digest, plan)
        return plan


def _requested_id(request: GraphqlRequest) -> str:
    persisted = None if request.extensions is None else request.extensions.persistedQuery
    if request.documentId is not None and persisted is not None:
        raise GraphqlMalformed("(Send one id.)")
    if request.documentId is not None:
        return request.documentId.removeprefix(_ID_PREFIX).lower()
    if persisted is not None:
        return persisted.sha256Hash.lower()
    raise GraphqlMalformed("(`query` is missing.)")


def _check_ids(request: GraphqlRequest, hashed: str) -> None:
    """Refuse a request whose ids contradict its `query`."""
    if request.documentId is not None:
        raise GraphqlMalformed("(Send `query` or `documentId`.)")
    persisted = None if request.extensions is None else request.extensions.persistedQuery
    if persisted is not None and persisted.sha256Hash.lower() != hashed:
        raise GraphqlMalformed("(`sha256Hash` is not the hash of `query`.)")
