"""Check the ids in the options of a console command, so that a mistyped id gives an error and not an empty list.

The operator at the console can read every row, so the error may suggest a similar id, which an HTTP error never does.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, column, or_, select, table

from cloud.foundation.db import Transaction
from cloud.foundation.errors import Mistake, PrivateError
from cloud.foundation.slice import IdKind, declared
from cloud.foundation.suggestions import KNOWN_MAX, closest, quoted


class IdUnknown(PrivateError, code="id_unknown", status=404):
    """An id does not exist."""

    @property
    def sentence(self) -> str:
        return self.detail


def id_kinds() -> Mapping[str, IdKind]:
    """Return a mapping for the console commands of all slices: from the name of each option or argument that holds an
    id to the kind of object with this id."""
    return {name: kind for one in declared() for name, kind in one.ids.items()}


async def check_ids(tx: Transaction, given: Mapping[str, Any]) -> None:
    """Look up each id among the options `given` to a command. Raises `IdUnknown` for the first that does not exist."""
    tenant = given.get("tenant")
    for name, kind in id_kinds().items():
        id = given.get(name)
        if isinstance(id, str) and not (await tx.execute(_named(kind, tenant, id))).rows:
            rows = (await tx.execute(_all(kind, tenant))).rows
            near = closest(id, [word for row in rows for word in row if word is not None])
            where = "" if name == "tenant" or tenant is None else f" in tenant {tenant}"
            text = f"There is no {kind.word} {quoted(id)}{where}."
            raise IdUnknown(text, mistakes=[Mistake(text, parameter=name, did_you_mean=near)])


def _named(kind: IdKind, tenant: str | None, id: str) -> Select[Any]:
    named = or_(*(column(name) == id for name in kind.columns))
    return _of_tenant(kind, tenant).where(named).limit(1)


def _all(kind: IdKind, tenant: str | None) -> Select[Any]:
    return _of_tenant(kind, tenant).limit(KNOWN_MAX)


def _of_tenant(kind: IdKind, tenant: str | None) -> Select[Any]:
    # Only the names of the columns, since a command does not load the tables of other slices.
    columns: list[ColumnElement[Any]] = [column(name) for name in kind.columns]
    rows: Select[Any] = select(*columns).select_from(table(kind.table))
    return rows if tenant is None or kind.table == "tenants" else rows.where(column("tenant_id") == tenant)
