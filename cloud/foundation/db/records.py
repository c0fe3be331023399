"""Convert between dataclasses and table rows, for stores whose fields and columns have the same names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from sqlalchemy import Select, Table, select
from sqlalchemy.dialects.postgresql import insert

from cloud.foundation.db.transaction import Transaction

Value = TypeVar("Value")
Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""The functions that turn a field's value into its column's value, and back. Field and column have the same name."""


class Records(Generic[Value]):
    """Reads and writes rows as objects of the dataclass `kind`. An enumeration is stored by its value. `codecs` maps a
    field to the two functions that convert its value for storage and back, and `renamed` maps a field to its column if
    the names differ. Values of fields without a column are passed to `read`."""

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
        # The constructor by position takes a tenth of the time that one by names takes, which needs a dictionary.
        self._is_by_position = len(self.names) == len(columns) and not any(
            one.kw_only or one.default is not MISSING or one.default_factory is not MISSING
            for one in fields(kind)  # type: ignore[arg-type]
        )
        self.columns = [table.c[columns[name]] for name in self.names]
        members = {name: found for name in self.names if (found := _members_of(types[name])) is not None}
        readers = members | {name: read for name, (_, read) in codecs.items()}
        self._readers = [(self.names.index(name), read) for name, read in readers.items()]
        self._writers = [(self.names.index(name), write) for name, (write, _) in codecs.items()]
        self._column_names = [columns[name] for name in self.names]
        self._fields_of = attrgetter(*self.names)

    def select(self) -> Select[Any]:
        """Return a SELECT of the columns in the order that `read` needs."""
        return select(*self.columns)

    def read(self, row: Sequence[Any], **more: Any) -> Value:
        """Return the object for `row`, a row with the columns of `Records.select`. `more` has the values of the fields
        that have no column."""
        values = list(row)
        for place, convert in self._readers:
            if values[place] is not None:
                values[place] = convert(values[place])
        if self._is_by_position:
            return self._kind(*values)
        return self._kind(**dict(zip(self.names, values, strict=True)), **more)

    def row(self, value: Value) -> tuple[Any, ...]:
        """Return an object as its row: the value of each of `columns`, in their order."""
        found: tuple[Any, ...] = self._fields_of(value)
        if not self._writers:
            return found
        written = list(found)
        for place, write in self._writers:
            written[place] = write(written[place])
        return tuple(written)

    def values(self, value: Value) -> dict[str, Any]:
        """Return an object as its row, in the form of a mapping from column names to values."""
        return dict(zip(self._column_names, self.row(value), strict=True))

    async def first(self, tx: Transaction, statement: Select[Any]) -> Value | None:
        """Run a statement made with `Records.select`; return the object for its first row, or None if
        there is no row."""
        row = (await tx.execute(statement)).first()
        return None if row is None else self.read(row)

    async def all(self, tx: Transaction, statement: Select[Any]) -> list[Value]:
        """Run a statement made with `Records.select`; return an object for each row."""
        return [self.read(row) for row in await tx.execute(statement)]

    async def add(self, tx: Transaction, value: Value) -> bool:
        """Insert a row. Return False, without a change, when a row with an equal key or unique value exists."""
        statement = insert(self._table).values(self.values(value)).on_conflict_do_nothing()
        return (await tx.execute(statement.returning(*self._table.primary_key))).first() is not None


def _members_of(annotation: Any) -> Callable[[Any], Enum] | None:
    """Return a function that finds a member of an enumeration by its value. The enumeration is the one in a field's
    annotation, such as `Status` or `Status | None`; without an enumeration, return None. The function is the look-up of
    a dictionary, since a call of the enumeration takes several times as long."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, Enum)]
    return {member.value: member for member in kinds[0]}.__getitem__ if kinds else None
