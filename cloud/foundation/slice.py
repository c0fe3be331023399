"""Declare a slice, the folder of one capability: its parts, and the names that other slices may import.

Every command imports the `__init__` of every slice. To keep commands fast, an `__init__` imports nothing else of its
slice. It names parts as `module:attribute`, which are loaded on use. It lists its exports in an `if TYPE_CHECKING:`
block, from which `lazy_exports` imports each name at its first use. The line `mypy: implicit-reexport` above the block
makes mypy treat these names as exports.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple


class Scope(NamedTuple):
    """An OAuth scope, with its sentence on the consent page in English (`description`) and in Polish. `reads` is the
    read scope that this scope includes, or None. `entitled`: the scope is outside of the public catalogue, and exists
    only for apps of tenants that the operator has entitled to it."""

    name: str
    description: str
    polish: str
    reads: str | None = None
    entitled: bool = False


class IdKind(NamedTuple):
    """A kind of object that console commands name by id. `word` is the noun for error messages. The id is in one of the
    `columns` of `table`, which also has a column `tenant_id` (except `tenants`)."""

    word: str
    table: str
    columns: tuple[str, ...] = ("id",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The declaration of one slice. A part is named as `module` or `module:attribute`, relative to `package`; None when
    the slice has no such part."""

    package: str
    tables: str | None = None
    """Module that declares the slice's tables on `foundation.db.metadata`."""
    routes: tuple[str, ...] = ()
    """Functions that take `Parts` and return a tuple of `Route`."""
    jobs: str | None = None
    """Function that takes a `Process` and returns `Jobs`."""
    retention: str | None = None
    """Tuple of `foundation.retention.Kind`: the kinds of data that are deleted after a period."""
    job_kinds: str | None = None
    """Tuple of `cloud.work.jobs.JobKind`: the kinds of job that tenants enqueue and workers run."""
    data_schemas: str | None = None
    """Tuple of `foundation.http.DataSchema`: the schemas of the objects that the slice's routes return."""
    graph: str | None = None
    """`foundation.graphql_fields.GraphFields`: the root fields of the slice in the GraphQL schema."""
    events: str | None = None
    """Tuple of `EventType`, in the order in which integrators see them."""
    scopes: tuple[Scope, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """Chapter of the OpenAPI document → its description. A route's `tag` is one of them."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Name of a section in the settings file → its class, a `Section`."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Name of a group of console commands → its `Typer`."""
    ids: Mapping[str, IdKind] = field(default_factory=dict)
    """Name of the option or argument that holds an id → the kind of object, for the check of mistyped ids."""

    def load(self, part: str) -> Any:
        """Import the module that `part` names, and return it or, for `module:attribute`, its attribute."""
        module, _, attribute = part.partition(":")
        found = import_module(f"{self.package}.{module}")
        return getattr(found, attribute) if attribute else found


_declared: list[Slice] = []


def declare(slices: Iterable[Slice]) -> None:
    """Set the slices of this program. `cloud.slices` calls this when it is imported."""
    _declared[:] = slices


def declared() -> Sequence[Slice]:
    """Return the slices of this program. Catalogues, such as the catalogue of scopes, are derived from them."""
    assert _declared, "import cloud.slices first: it declares the slices"
    return _declared


def load_tables() -> None:
    """Import the table modules of all slices (capabilities), which declare tables on `foundation.db.metadata`."""
    for one in declared():
        if one.tables is not None:
            one.load(one.tables)


def lazy_exports(package: str) -> Callable[[str], Any]:
    """Make a package's `__getattr__` (PEP 562), which imports a name of the `if TYPE_CHECKING:` block at first use."""
    module = sys.modules[package]

    @cache
    def homes() -> Mapping[str, str]:
        assert module.__file__ is not None
        block = next(one for one in ast.parse(Path(module.__file__).read_bytes()).body if isinstance(one, ast.If))
        imports = [one for one in block.body if isinstance(one, ast.ImportFrom)]
        return {name.name: str(one.module) for one in imports for name in one.names}

    def export(name: str) -> Any:
        if name not in homes():
            raise AttributeError(f"{package} exports no {name}")
        value = getattr(import_module(homes()[name]), name)
        setattr(module, name, value)  # from now on Python finds it without this function
        return value

    return export
