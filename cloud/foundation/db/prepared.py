"""A Core statement that is compiled once for each dialect, for paths where SQLAlchemy's own execution would dominate.

Measured: a durable write through SQLAlchemy costs 4 to 8 times the compiled text on the driver's connection. The
statement is still written once, in Core, as a module constant in `store.py`. Only its execution differs: values go to
the driver unchanged (int, float, str, bytes, None), without type processing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

DialectName = Literal["sqlite", "postgresql"]
Values = Mapping[str, Any]

_DIALECTS: Mapping[DialectName, Dialect] = {
    "sqlite": sqlite_dialect(paramstyle="qmark"),
    "postgresql": asyncpg_dialect(),  # type: ignore[no-untyped-call]  # SQLAlchemy types this one not yet
}


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """The SQL text of a statement for one dialect.

    `names` are its parameters in the order of the placeholders; `constants` are the values that the statement sets
    itself.
    """

    text: str
    names: tuple[str, ...]
    constants: Values

    def arguments(self, values: Values) -> tuple[Any, ...]:
        """Return the driver's positional arguments. Raises KeyError when a parameter is neither given nor constant."""
        constants = self.constants
        return tuple(values[name] if name in values else constants[name] for name in self.names)

    def reorder(self, order: Sequence[str]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]] | None:
        """Return the function that turns a row in `order` into arguments; None when the orders are equal."""
        if tuple(order) == self.names:
            return None
        if all(name in order for name in self.names) and len(self.names) > 1:
            return itemgetter(*(order.index(name) for name in self.names))
        return lambda row: self.arguments(dict(zip(order, row, strict=True)))


def compiled(statement: ClauseElement, dialect: DialectName) -> CompiledStatement:
    """Compile for one dialect. Refuses a statement whose text depends on values (an IN list of any length)."""
    done = statement.compile(dialect=_DIALECTS[dialect])
    assert isinstance(done, SQLCompiler), "only a query or a change can be compiled"
    if done.post_compile_params:
        raise ValueError("a prepared statement has a fixed text: an IN list cannot be one of its parameters")
    required = {name for name, bound in done.binds.items() if bound.required}
    constants = {name: value for name, value in done.params.items() if name not in required}
    return CompiledStatement(done.string, tuple(done.positiontup or ()), constants)


class Prepared:
    """A statement for the hot path. `order`: the names of the fields in the rows of `Driver.run_many`."""

    def __init__(self, statement: ClauseElement, *, order: Sequence[str] = ()) -> None:
        self.statement = statement
        self.order = tuple(order)
        self._compiled: dict[DialectName, CompiledStatement] = {}

    def on(self, dialect: DialectName) -> CompiledStatement:
        """Return the text for this dialect, compiled at the first call."""
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = compiled(self.statement, dialect)
        return found
