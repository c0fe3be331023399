"""Values of dataclasses as rows of a table, for stores whose fields and columns have the same names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from types import MappingProxyType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from sqlalchemy import Select, Table, select
from sqlalchemy.dialects.postgresql import insert

from cloud.foundation.db.transaction import Transaction

Value = TypeVar("Value")
Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""The functions that store a field and read it. A codec's column has the name of its field."""


class Records(Generic[Value]):
    """Read and write the rows of a table as values of a dataclass.

    The fields that the table lacks are given to `read` by the caller. A field of an enumeration is stored as its word
    or number, and read as its member. `codecs`: for other fields, how they are stored and how they are read.
    `renamed`: the columns whose names differ from their field's, by field.
    """

    def __init__(
        self,
        kind: type[Value],
        table: Table,
        *,
        codecs: Mapping[str, Codec] = MappingProxyType({}),
        renamed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        types = get_type_hints(kind)
        columns = {one.name: renamed.get(one.name, one.name) for one in fields(kind)}  # type: ignore[arg-type]
        self._kind = kind
        self._table = table
        self.names = [name for name, column in columns.items() if column in table.c]
        self.columns = [table.c[columns[name]] for name in self.names]
        enums = {name: found for name in self.names if (found := _enum_of(types[name])) is not None}
        self._readers = [*(enums | {name: read for name, (_, read) in codecs.items()}).items()]
        self._writers = [(name, write) for name, (write, _) in codecs.items()]
        self._fields = [(columns[name], name) for name in self.names]

    def select(self) -> Select[Any]:
        """Select the columns of the fields, in their order."""
        return select(*self.columns)

    def read(self, row: Sequence[Any], **more: Any) -> Value:
        """Return the value of a row of `columns`. `more` are the fields that are not columns."""
        values = dict(zip(self.names, row, strict=True))
        for name, convert in self._readers:
            if values[name] is not None:
                values[name] = convert(values[name])
        return self._kind(**values, **more)

    def values(self, value: Value) -> dict[str, Any]:
        """Return the columns of a value."""
        found = {column: getattr(value, name) for column, name in self._fields}
        for name, write in self._writers:
            found[name] = write(found[name])
        return found

    async def first(self, tx: Transaction, statement: Select[Any]) -> Value | None:
        """Return the first value of a statement from `select`, None when there is none."""
        row = (await tx.execute(statement)).first()
        return None if row is None else self.read(row)

    async def all(self, tx: Transaction, statement: Select[Any]) -> list[Value]:
        """Return the values of a statement from `select`."""
        return [self.read(row) for row in await tx.execute(statement)]

    async def add(self, tx: Transaction, value: Value) -> bool:
        """Add a row; False when there is one with the same key."""
        statement = insert(self._table).values(self.values(value)).on_conflict_do_nothing()
        return (await tx.execute(statement.returning(*self._table.primary_key))).first() is not None


def _enum_of(annotation: Any) -> type[Enum] | None:
    """Return the enumeration of a field's annotation, which may allow None."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, Enum)]
    return kinds[0] if kinds else None
