"""SQL statements on operation bundles and grants."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, or_, select

from cloud.foundation.db import Prepared, Query, Records, Transaction, insert
from cloud.partners.graphql.tables import graphql_documents, graphql_grants


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledDocument:
    """A document of one version of a bundle. `text` is its normal form with the SHA-256 `digest`; `text_digest` is that
    of the text as it was registered. `operation` is the name of its operation, None for an anonymous one."""

    bundle: str
    version: int
    digest: str
    text_digest: str
    text: str
    operation: str | None
    added_at_us: int


@dataclass(frozen=True, slots=True)
class ListedBundle:
    """A version of a bundle, with the numbers of its documents and of the apps that may send them."""

    name: str
    version: int
    documents: int
    apps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An app that may send the documents of one version of a bundle."""

    client_id: str
    bundle: str
    version: int
    tenant_id: str
    granted_at_us: int


_DOCUMENTS = Records(BundledDocument, graphql_documents)
_GRANTS = Records(Grant, graphql_grants)
_SAME = (graphql_grants.c.bundle == graphql_documents.c.bundle, graphql_grants.c.version == graphql_documents.c.version)
_APPROVED = Prepared(
    select(graphql_documents.c.digest, graphql_documents.c.text)
    .join(graphql_grants, _SAME[0] & _SAME[1])
    .where(
        graphql_grants.c.client_id == bindparam("client"),
        graphql_grants.c.tenant_id == bindparam("tenant"),
        or_(graphql_documents.c.digest == bindparam("digest"), graphql_documents.c.text_digest == bindparam("digest")),
    )
    .limit(1)
)


class BundleStore:
    """SQL statements on bundles and on the apps to which they are granted."""

    async def approved(self, query: Query, tenant_id: str, client_id: str, digest: str) -> tuple[str, str] | None:
        """Return the digest and the normal form of the app's document with this digest; None if the app has none."""
        rows = await query(_APPROVED, {"client": client_id, "tenant": tenant_id, "digest": digest})
        return (rows[0][0], rows[0][1]) if rows else None

    async def add(self, tx: Transaction, documents: Sequence[BundledDocument]) -> None:
        for one in documents:
            await tx.execute(insert(graphql_documents).values(_DOCUMENTS.values(one)))

    async def documents(
        self, tx: Transaction, bundle: str, version: int, *, lock: bool = False
    ) -> Sequence[BundledDocument]:
        """Return the documents of a version in the order of their names. With `lock`, they are locked until the end of
        the transaction."""
        table = graphql_documents.c
        statement = _DOCUMENTS.select().where(table.bundle == bundle, table.version == version)
        ordered = statement.order_by(table.operation, table.digest)
        return await _DOCUMENTS.all(tx, ordered.with_for_update() if lock else ordered)

    async def remove(self, tx: Transaction, bundle: str, version: int) -> None:
        table = graphql_documents.c
        await tx.execute(delete(graphql_documents).where(table.bundle == bundle, table.version == version))

    async def list(self, tx: Transaction) -> Sequence[ListedBundle]:
        """Return all versions of all bundles in the order of name and version."""
        table = graphql_documents.c
        apps = (
            select(func.count())
            .where(graphql_grants.c.bundle == table.bundle, graphql_grants.c.version == table.version)
            .scalar_subquery()
        )
        statement = select(table.bundle, table.version, func.count(), apps).group_by(table.bundle, table.version)
        rows = await tx.execute(statement.order_by(table.bundle, table.version))
        return [ListedBundle(*row) for row in rows]

    async def grant(self, tx: Transaction, grant: Grant) -> None:
        """Grant a version to an app. A repeated grant changes nothing."""
        await tx.execute(insert(graphql_grants).values(_GRANTS.values(grant)).on_conflict_do_nothing())

    async def revoke(self, tx: Transaction, tenant_id: str, client_id: str, bundle: str, version: int) -> bool:
        """Delete a grant of a tenant's app; return whether there was one."""
        table = graphql_grants.c
        mine = table.tenant_id == tenant_id, table.client_id == client_id
        this = delete(graphql_grants).where(*mine, table.bundle == bundle, table.version == version)
        return bool((await tx.execute(this.returning(table.client_id))).rows)

    async def grants(self, tx: Transaction, bundle: str, version: int) -> Sequence[Grant]:
        """Return the apps that may send the documents of a version."""
        table = graphql_grants.c
        statement = _GRANTS.select().where(table.bundle == bundle, table.version == version)
        return await _GRANTS.all(tx, statement.order_by(table.client_id))
