"""Results: objects that a tenant downloads, kept as long as something refers to them.

A result is stored once for each content of a tenant (its SHA-256), however many references it has. The contents of two
tenants are never shared: the time of storing one must not disclose that another tenant has the same.

An object is stored before the transaction that refers to it (`Results.keep`). When the last reference goes
(`Results.release`), the object is marked as unused in the same transaction, and the sweep removes it. It also removes
an object whose content the tenant had already. If that one was lost, all its references get the new object
(`Results.replace`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import BigInteger, ColumnElement, Text, bindparam, case, delete, select, update

from cloud.foundation.db import GivenRows, Prepared, Transaction, given, insert
from cloud.foundation.ids import Ids
from cloud.foundation.objects.store import Download, StoredObject
from cloud.foundation.objects.tables import result_objects, result_references

RESULTS = "results"
"""The first part of the names of results: `results/TENANT/YYYYMMDD/ULID`."""

_OBJECTS, _REFERENCES = result_objects.c, result_references.c
_names = GivenRows("names", object_name=Text())
_KNOWN = Prepared(select(_OBJECTS.object_name).where(_names.among(_OBJECTS.object_name, _names.c("object_name"))))
_UNUSED = Prepared(
    select(_OBJECTS.object_name)
    .where(_OBJECTS.unused_since_us.is_not(None))
    .order_by(_OBJECTS.unused_since_us)
    .limit(bindparam("limit", type_=BigInteger()))
)


@dataclass(frozen=True, slots=True)
class Result:
    """A stored result with one reference: `id` is the id of the object that it belongs to."""

    id: str
    tenant_id: str
    stored: StoredObject
    download: Download


def new_result_name(ids: Ids, tenant_id: str, now_us: int) -> str:
    """Return a new name for the object of a result."""
    return f"{RESULTS}/{tenant_id}/{datetime.fromtimestamp(now_us // 1_000_000, UTC):%Y%m%d}/{ids.new('')}"


class Results:
    """SQL statements on results and their references."""

    async def kept_name(self, tx: Transaction, tenant_id: str, stored: StoredObject) -> str:
        """Return the name of the object to which `keep` leads at present: the one that the tenant has with the same
        content, or else `stored` itself."""
        statement = select(_OBJECTS.object_name).where(*_same(tenant_id, stored))
        row = (await tx.execute(statement)).first()
        return stored.name if row is None else str(row.object_name)

    async def keep(self, tx: Transaction, result: Result, now_us: int) -> str:
        """Refer to a result that was stored, and return the name of the object to which the reference leads. If that is
        another object of the tenant with the same content, the stored one is marked as unused."""
        stored = result.stored
        row = {
            "object_name": stored.name,
            "tenant_id": result.tenant_id,
            "sha256": stored.sha256,
            "size_bytes": stored.size_bytes,
            "reference_count": 1,
            "stored_at_us": now_us,
        }
        counted = await self._count(tx, result.tenant_id, stored)
        if counted is None:
            added = insert(result_objects).values(row).on_conflict_do_nothing().returning(_OBJECTS.object_name)
            if (await tx.execute(added)).first() is not None:
                counted = stored.name
            else:  # another transaction has stored the same content meanwhile
                counted = await self._count(tx, result.tenant_id, stored)
                assert counted is not None, "the row that caused the conflict is counted"
        reference = {
            "id": result.id,
            "tenant_id": result.tenant_id,
            "object_name": counted,
            "media_type": result.download.media_type,
            "file_name": result.download.file_name,
            "stored_at_us": now_us,
        }
        await tx.execute(insert(result_references).values(reference))
        if counted != stored.name:
            unused = {**row, "reference_count": 0, "unused_since_us": now_us}
            await tx.execute(insert(result_objects).values(unused))
        return counted

    async def replace(self, tx: Transaction, lost_name: str, stored: StoredObject) -> None:
        """Let all references to an object that is no longer in the store lead to another one of the same content. If
        another transaction has replaced or released the object meanwhile, nothing is changed."""
        # The object before its references, as in `keep` and `release`: no two of them wait for each other, and a
        # reference that is added meanwhile waits for the row of the object.
        changed = await tx.execute(
            update(result_objects)
            .where(_OBJECTS.object_name == lost_name, _OBJECTS.unused_since_us.is_(None))
            .values(object_name=stored.name)
            .returning(_OBJECTS.object_name)
        )
        if changed.first() is not None:
            moved = update(result_references).where(_REFERENCES.object_name == lost_name)
            await tx.execute(moved.values(object_name=stored.name))

    async def find(self, tx: Transaction, id_: str) -> Result | None:
        """Return the result of the object with this id; None if it has none, or none any more. The caller must have
        checked that the result may be read."""
        statement = (
            select(result_references, _OBJECTS.size_bytes, _OBJECTS.sha256)
            .join(result_objects, _OBJECTS.object_name == _REFERENCES.object_name)
            .where(_REFERENCES.id == id_)
        )
        row = (await tx.execute(statement)).first()
        if row is None:
            return None
        stored = StoredObject(row.object_name, row.size_bytes, bytes(row.sha256))
        return Result(row.id, row.tenant_id, stored, Download(row.media_type, row.file_name))

    async def release(self, tx: Transaction, ids: Sequence[str], now_us: int) -> int:
        """Delete the references of the objects with these ids, and mark each result whose last reference goes as
        unused; return the number of deleted references."""
        referred = select(_REFERENCES.object_name).where(_REFERENCES.id.in_(ids))
        rows = select(_OBJECTS.object_name).where(_OBJECTS.object_name.in_(referred))
        # The objects before their references, as in `keep` and `replace`, and in one order: so no two transactions wait
        # for each other.
        await tx.execute(rows.order_by(_OBJECTS.object_name).with_for_update())
        deleted = delete(result_references).where(_REFERENCES.id.in_(ids)).returning(_REFERENCES.object_name)
        names = [row.object_name for row in await tx.execute(deleted)]
        for name in sorted(names):  # an object that was replaced before it was locked above has its new name
            count = _OBJECTS.reference_count
            await tx.execute(
                update(result_objects)
                .where(_OBJECTS.object_name == name)
                .values(reference_count=count - 1, unused_since_us=case((count == 1, now_us)))
            )
        return len(names)

    async def unused(self, tx: Transaction, limit: int) -> list[str]:
        """Return the names of objects without a reference, at most `limit`."""
        return [name for (name,) in await tx.driver.rows(_UNUSED, {"limit": limit})]

    async def known_names(self, tx: Transaction, names: Sequence[str]) -> set[str]:
        """Return those of the object names that have a row."""
        rows = await tx.driver.rows(_KNOWN, {"names": given([(name,) for name in names])}) if names else ()
        return {name for (name,) in rows}

    async def forget(self, tx: Transaction, names: Sequence[str]) -> None:
        """Delete the rows of unused objects that were removed."""
        await tx.execute(
            delete(result_objects).where(_OBJECTS.object_name.in_(names), _OBJECTS.unused_since_us.is_not(None))
        )

    async def _count(self, tx: Transaction, tenant_id: str, stored: StoredObject) -> str | None:
        """Count one more reference to the tenant's object of this content; return the object's name, or None if there
        is none."""
        statement = (
            update(result_objects)
            .where(*_same(tenant_id, stored))
            .values(reference_count=_OBJECTS.reference_count + 1)
            .returning(_OBJECTS.object_name)
        )
        row = (await tx.execute(statement)).first()
        return None if row is None else str(row.object_name)


def _same(tenant_id: str, stored: StoredObject) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the tenant's object of this content."""
    return _OBJECTS.tenant_id == tenant_id, _OBJECTS.sha256 == stored.sha256, _OBJECTS.unused_since_us.is_(None)
