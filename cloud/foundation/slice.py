"""Declare a slice: the parts that it contributes to the cloud, and the names that other slices may use.

Every command loads a slice's `__init__`, since the list of commands and the settings file are made from the
declarations. So it loads nothing itself. Parts are named as `module:attribute` and loaded on use. Exported names are in
an `if TYPE_CHECKING:` block, from which `lazy_exports` imports each at its first use.
`mypy: implicit-reexport` above the block makes them exports for mypy too.
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
    """A scope that tokens can carry, with the sentences of the consent page. `reads`: the scope that it includes."""

    name: str
    description: str
    polish: str
    reads: str | None = None


class IdKind(NamedTuple):
    """A kind of object whose id a console command names. `table` has `tenant_id`, except the tenants' own."""

    word: str
    table: str
    columns: tuple[str, ...] = ("id",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The declaration of one slice. A part is `module` or `module:attribute` of its package; None where it has none."""

    package: str
    tables: str | None = None
    """Module that declares its tables on `foundation.db.metadata`."""
    routes: tuple[str, ...] = ()
    """Functions from `Parts` to rows."""
    jobs: str | None = None
    """Function from `Process` to `Jobs`."""
    events: str | None = None
    """Its `EventType`s, in the order in which integrators see them."""
    scopes: tuple[Scope, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """Chapter of the OpenAPI document → its description. A row's `tag` is one of them."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Name of a section in the settings file → its class, a `Section`."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Name of a group of console commands → its `Typer`."""
    ids: Mapping[str, IdKind] = field(default_factory=dict)
    """Name of the option or argument that holds an id → the kind of object, for the check of mistyped ids."""

    def load(self, part: str) -> Any:
        """Import a part: the module, or the attribute of it that the part names."""
        module, _, attribute = part.partition(":")
        found = import_module(f"{self.package}.{module}")
        return getattr(found, attribute) if attribute else found


_declared: list[Slice] = []


def declare(slices: Iterable[Slice]) -> None:
    """Set the slices of this program. The composition root does so when it is loaded."""
    _declared[:] = slices


def declared() -> Sequence[Slice]:
    """Return the slices of this program, for values that are derived from all of them, such as the scope catalogue."""
    assert _declared, "import cloud.slices first: it declares the slices"
    return _declared


def lazy_exports(package: str) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package (PEP 562) that imports the names of its `if TYPE_CHECKING:` block on use."""
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
