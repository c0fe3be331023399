"""Find the tables that a function of the cloud reaches: what it calls, and what this calls in turn.

The functions are not run. A name is followed to its definition through imports and the exports of slices, an attribute
of `self` to the class that `__init__` assigns, a parameter and a local name to its class, and a declared `Need` to what
`cloud/supplies.py` supplies. A class of which only the name is used counts with its `__init__`.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.tidy.sources import ROOT

SUPPLIES = "cloud.supplies"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Definition(NamedTuple):
    """A definition of a module: a function, a class, a method (`Class.method`), or a name that a module assigns."""

    module: str
    name: str


class Module:
    """The definitions and the imports of one module."""

    def __init__(self, tree: ast.Module) -> None:
        self.definitions: dict[str, ast.stmt] = {}
        self.imports = {
            alias.asname or alias.name: Definition(node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("cloud")
            for alias in node.names
        }
        for node in tree.body:
            self._add(node, "")

    def _add(self, node: ast.stmt, prefix: str) -> None:
        if isinstance(node, Function):
            self.definitions[prefix + node.name] = node
        elif isinstance(node, ast.ClassDef):
            self.definitions[prefix + node.name] = node
            for inner in node.body:
                self._add(inner, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not prefix:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            self.definitions.update({name.id: node for target in targets for name in _names(target)})


class Calls:
    """The definitions that each definition of the cloud uses."""

    def __init__(self) -> None:
        self._module = cache(_read_module)
        self._supplied = dict(self._supplies())
        self._edges = cache(self._find_edges)

    def functions(self, *parameter_types: str) -> list[Definition]:
        """Return the coroutines of the cloud that have a parameter of one of these types."""
        return [
            Definition(module, name)
            for module in _modules_with(parameter_types)
            for name, node in self._definitions(module).items()
            if isinstance(node, ast.AsyncFunctionDef)
            and any(isinstance(one, ast.Name) and one.id in parameter_types for one in _annotations(node).values())
        ]

    def reached(self, start: Definition, but: Definition) -> set[Definition]:
        """Return the definitions that `start` reaches, directly or through others, except those through `but`."""
        found, pending = {start}, [start]
        while pending:
            new = self._edges(pending.pop()) - found - {but}
            found |= new
            pending += new
        return found

    def uses(self, definition: Definition, attribute: str) -> bool:
        """Return whether a function uses an attribute of `self`."""
        return any(isinstance(one, ast.Attribute) and one.attr == attribute for one in ast.walk(self._node(definition)))

    def _definitions(self, module: str) -> Mapping[str, ast.stmt]:
        parts = self._module(module)
        return {} if parts is None else parts.definitions

    def _node(self, definition: Definition) -> ast.stmt:
        return self._definitions(definition.module)[definition.name]

    def _resolve(self, module: str, name: str) -> Definition | None:
        """Return the definition of a name in a module; None if it is not of the cloud, or a module."""
        while (parts := self._module(module)) is not None:
            if name in parts.definitions:
                return Definition(module, name)
            if name not in parts.imports:
                return None
            module, name = parts.imports[name]
        return None

    def _class_of(self, module: str, expression: ast.expr | None) -> Definition | None:
        """Return the class of an expression: a call of the class, its name as an annotation, or one of two choices."""
        match expression:
            case ast.Call(func=ast.Name() as name) | (ast.Name() as name):
                found = self._resolve(module, name.id)
                return found if found is not None and isinstance(self._node(found), ast.ClassDef) else None
            case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
                return self._class_of(module, one) or self._class_of(module, other)
            case _:
                return None

    def _method(self, of: Definition | None, name: str) -> set[Definition]:
        if of is None or f"{of.name}.{name}" not in self._definitions(of.module):
            return set()
        return {Definition(of.module, f"{of.name}.{name}")}

    def _attributes(self, module: str, of: str) -> Mapping[str, ast.expr]:
        """Return what `__init__` assigns to the attributes of a class, or the annotation of the parameter that it
        assigns."""
        init = self._definitions(module).get(f"{of}.__init__")
        if not isinstance(init, Function):
            return {}
        types = _annotations(init)
        found: dict[str, ast.expr] = {}
        for node in ast.walk(init):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                value = types.get(node.value.id, node.value) if isinstance(node.value, ast.Name) else node.value
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found.update({one.attr: value for one in targets if isinstance(one, ast.Attribute)})
        return found

    def _find_edges(self, definition: Definition) -> frozenset[Definition]:
        module, node = definition.module, self._node(definition)
        of = definition.name.partition(".")[0] if "." in definition.name else None
        attributes = {} if of is None else self._attributes(module, of)
        types = {name: self._class_of(module, one) for name, one in _local_types(node)}
        found: set[Definition] = set()
        body = [one for one in node.body if not isinstance(one, Function)] if isinstance(node, ast.ClassDef) else [node]
        for one in (inner for outer in body for inner in ast.walk(outer)):
            match one:
                case ast.Attribute(value=ast.Name(id="self"), attr=name) if of is not None:
                    methods = self._method(Definition(module, of), name)
                    found |= methods or self._of_names(module, [attributes[name]] if name in attributes else [])
                case ast.Attribute(value=ast.Attribute(value=ast.Name(id="self"), attr=owner), attr=name):
                    found |= self._method(self._class_of(module, attributes.get(owner)), name)
                case ast.Attribute(value=ast.Name(id=owner), attr=name):
                    found |= self._method(types.get(owner) or self._class_of(module, one.value), name)
                case ast.Attribute(value=ast.Call() as made, attr=name):
                    found |= self._method(self._class_of(module, made), name)
                case ast.Name():
                    found |= self._of_names(module, [one])
        for each in tuple(found):
            found |= self._method(each, "__init__") | self._supplied.get(each, set())
        return frozenset(found)

    def _of_names(self, module: str, expressions: Iterable[ast.expr]) -> set[Definition]:
        """Return the definitions of all names in these expressions. A class counts with its `__init__`, not with its
        methods: those that are called are found where they are called."""
        names = [name for one in expressions for name in _names(one)]
        return {found for name in names if (found := self._resolve(module, name.id)) is not None}

    def _supplies(self) -> Iterator[tuple[Definition, set[Definition]]]:
        """Yield each declared need and what is supplied for it: a function, a method, or all methods of an object."""
        for node in ast.walk(self._definitions(SUPPLIES)["make_supplies"]):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "supply"):
                continue
            need, value = node.args
            assert isinstance(need, ast.Name), "a need is given by its name"
            found = self._resolve(SUPPLIES, need.id)
            assert found is not None, "a need is declared in a slice"
            used = self._of_names(SUPPLIES, [value])
            methods = {
                Definition(of.module, name)
                for of in used
                for name in self._definitions(of.module)
                if name.startswith(f"{of.name}.")
            }
            yield found, used | methods


def _read_module(name: str) -> Module | None:
    """Return a module of the cloud; None if there is none of this name."""
    path = ROOT.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return Module(ast.parse(file.read_text()))
    return None


def _modules_with(words: Iterable[str]) -> list[str]:
    """Return the names of the modules of the cloud whose text has one of these words."""
    texts = ((path, path.read_text()) for path in sorted((ROOT / "cloud").rglob("*.py")))
    return [_module_name(path) for path, text in texts if any(word in text for word in words)]


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Name))


def _annotations(node: Function) -> dict[str, ast.expr]:
    given = node.args
    parameters = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return {one.arg: one.annotation for one in parameters if one.annotation is not None}


def _local_types(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield the annotations of a function's parameters, and what it assigns to local names."""
    if isinstance(node, Function):
        yield from _annotations(node).items()
        for one in ast.walk(node):
            if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                yield one.targets[0].id, one.value
