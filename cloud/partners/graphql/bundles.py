"""Register operation bundles, and grant them to apps.

The documents of a bundle are checked with the limits of requests and against the schema, so that a request finds only
documents that can be executed (contract matrix C-101, A-088, A-092).
"""

import re
from collections.abc import Sequence

from cloud.access.apps import AppStore, AppUnknown
from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.viewer import Actor
from cloud.partners.graphql.document import digest_of, read_document
from cloud.partners.graphql.errors import BundleInUse, BundleMalformed, BundleUnknown
from cloud.partners.graphql.schema import built_in_bundles, make_plan
from cloud.partners.graphql.store import BundledDocument, BundleStore, Grant, ListedBundle

DOCUMENTS_MAX = 100
"""Documents of one version: a workflow has about ten operations."""
VERSION_MAX = 1_000_000
_NAME = re.compile(r"[a-z][a-z0-9]*([._-][a-z0-9]+)*")
NAME_LENGTH_MAX = 64


class Bundles:
    """Operations on bundles and their grants."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._store = BundleStore()
        self._apps = AppStore()
        self._audit = Audit(clock)

    async def register(self, name: str, version: int, texts: Sequence[str]) -> Sequence[BundledDocument]:
        """Store a version of a bundle and return its documents. The same documents may be stored again. Raises
        `BundleMalformed`, `DocumentUnreadable`, `DocumentTooComplex`."""
        if _NAME.fullmatch(name) is None or len(name) > NAME_LENGTH_MAX:
            raise BundleMalformed(f"(The name has small letters, digits and . _ -, at most {NAME_LENGTH_MAX}.)")
        if name in {one.name for one in built_in_bundles()}:
            raise BundleMalformed(f"({name} is a bundle of the contract.)")
        if not 1 <= version <= VERSION_MAX:
            raise BundleMalformed(f"(A version is a number from 1 to {VERSION_MAX}.)")
        if not 1 <= len(texts) <= DOCUMENTS_MAX:
            raise BundleMalformed(f"(A version has 1 to {DOCUMENTS_MAX} documents.)")
        documents = [self._checked(name, version, number, text) for number, text in enumerate(texts, 1)]
        if len({one.digest for one in documents}) != len(documents):
            raise BundleMalformed("(Two of its documents are equal.)")
        async with self._database.transaction() as tx:
            stored = await self._store.documents(tx, name, version)
            if not stored:
                await self._store.add(tx, documents)
            elif {one.digest for one in stored} != {one.digest for one in documents}:
                raise BundleMalformed("(This version exists with other documents. Choose a new version.)")
        return documents

    def _checked(self, name: str, version: int, number: int, text: str) -> BundledDocument:
        try:
            document = read_document(text)
            plan = make_plan(document)
        except DomainError as error:
            raise BundleMalformed(f"(Document {number}: {error.sentence})") from None
        return BundledDocument(
            bundle=name,
            version=version,
            digest=document.digest,
            text_digest=digest_of(text),
            text=document.text,
            operation=plan.name,
            added_at_us=self._clock.now_us(),
        )

    async def list(self) -> Sequence[ListedBundle]:
        """Return all versions of all registered bundles."""
        async with self._database.read() as tx:
            return await self._store.list(tx)

    async def show(self, name: str, version: int) -> tuple[Sequence[BundledDocument], Sequence[Grant]]:
        """Return the documents of a version and the apps that may send them. Raises `BundleUnknown`."""
        async with self._database.read() as tx:
            return await self._known(tx, name, version), await self._store.grants(tx, name, version)

    async def remove(self, name: str, version: int) -> None:
        """Delete a version that no app may send. Raises `BundleUnknown`, `BundleInUse`."""
        async with self._database.transaction() as tx:
            await self._known(tx, name, version, lock=True)
            if await self._store.grants(tx, name, version):
                raise BundleInUse
            await self._store.remove(tx, name, version)

    async def grant(self, actor: Actor, client_id: str, name: str, version: int) -> None:
        """Let an app of the actor's tenant send the documents of a version. Raises `AppUnknown`, `BundleUnknown`."""
        async with self._database.transaction() as tx:
            await self._check_app(tx, actor, client_id)
            # Locked, since `remove` may find no grant and delete the documents at the same moment.
            await self._known(tx, name, version, lock=True)
            await self._store.grant(
                tx,
                Grant(
                    client_id=client_id,
                    bundle=name,
                    version=version,
                    tenant_id=actor.tenant_id,
                    granted_at_us=self._clock.now_us(),
                ),
            )
            await self._audit.record(tx, actor, "bundle.grant", client_id, metadata=_named(name, version))

    async def revoke(self, actor: Actor, client_id: str, name: str, version: int) -> None:
        """Withdraw a version from an app of the actor's tenant. Its next request with one of the documents is refused.
        The app may be deleted, so that its versions can be removed. Raises `AppUnknown` if the tenant has neither the
        app nor the grant."""
        async with self._database.transaction() as tx:
            if not await self._store.revoke(tx, actor.tenant_id, client_id, name, version):
                await self._check_app(tx, actor, client_id)
            await self._audit.record(tx, actor, "bundle.revoke", client_id, metadata=_named(name, version))

    async def _check_app(self, tx: Transaction, actor: Actor, client_id: str) -> None:
        if await self._apps.find_for(tx, actor, client_id, lock=True) is None:
            raise AppUnknown

    async def _known(
        self, tx: Transaction, name: str, version: int, *, lock: bool = False
    ) -> Sequence[BundledDocument]:
        found = await self._store.documents(tx, name, version, lock=lock)
        if not found:
            raise BundleUnknown(f"({name} {version})")
        return found


def _named(name: str, version: int) -> dict[str, object]:
    return {"bundle": name, "version": version}
