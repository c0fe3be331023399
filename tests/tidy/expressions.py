"""All regular expressions of the packages, found in their syntax trees, and the methods called on them."""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.tidy.sources import ROOT, python_files

PACKAGES = ("protocols", "gateway", "cloud", "sdk", "simulators")
_METHODS = frozenset({"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression, and the `methods` that use it.

    `place` is "file:name", where name is the variable that holds the expression, or the function of `re` that is called
    with it.
    """

    place: str
    pattern: str | bytes
    flags: int
    methods: frozenset[str]


_METHOD = re.compile(rf"\.({'|'.join(sorted(_METHODS))})\b")


@cache
def _modules() -> tuple[tuple[Path, ast.Module], ...]:
    """Return the files in which an expression is compiled, or a method is called that has the name of one of an
    expression's."""
    texts = {
        path: path.read_text()
        for path in python_files()
        if path.relative_to(ROOT).parts[0] in PACKAGES and "migrations/versions" not in str(path)
    }
    return tuple(
        (path, ast.parse(text)) for path, text in texts.items() if "re.compile" in text or _METHOD.search(text)
    )


@cache
def _uses() -> dict[tuple[str, str], set[str]]:
    """Map (file, name) to the methods, such as "match", that the file calls on objects with that name."""
    found: dict[tuple[str, str], set[str]] = {}
    for path, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _METHODS:
                owners = (node.value.body, node.value.orelse) if isinstance(node.value, ast.IfExp) else (node.value,)
                for owner in owners:
                    name = ast.unparse(owner).rpartition(".")[2]
                    found.setdefault((path.relative_to(ROOT).as_posix(), name), set()).add(node.attr)
    return found


def _methods_of(shown: str, name: str) -> frozenset[str]:
    """Return the methods called on `name`: in the file `shown` for a private name, in all files for a public one.

    If no call is found, return every method that the file `shown` calls.
    """
    files = {file for file, used in _uses() if used == name and (file == shown or not name.startswith("_"))}
    found = frozenset(method for file in files for method in _uses()[file, name])
    in_file = frozenset(method for (file, _), used in _uses().items() if file == shown for method in used)
    return found or in_file or _METHODS


@cache
def expressions() -> tuple[Expression, ...]:
    """Return all regular expressions of the packages, in the order of their files."""
    return tuple(one for path, tree in _modules() for one in _of_module(path, tree))


def _of_module(path: Path, tree: ast.Module) -> Iterator[Expression]:
    bound = {id(node.value): _target(node) for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign)}
    shown = path.relative_to(ROOT).as_posix()
    module = None
    for node in ast.walk(tree):
        if not _is_re_call(node):
            continue
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Attribute)
        module = module or importlib.import_module(shown.removesuffix(".py").replace("/", "."))
        flags = [one for one in node.args[1:] if "re." in ast.unparse(one)]
        flags += [one.value for one in node.keywords if one.arg == "flags"]
        value = re.compile(_value(node.args[0], vars(module)), *(int(_value(one, vars(module))) for one in flags[:1]))
        compiled = node.func.attr == "compile"
        name = bound.get(id(node)) if compiled else None
        methods = _methods_of(shown, name or "") if compiled else frozenset({node.func.attr})
        yield Expression(f"{shown}:{name or 're.' + node.func.attr}", value.pattern, value.flags, methods)


def _target(node: ast.Assign | ast.AnnAssign) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    return target.id if isinstance(target, ast.Name) else ast.unparse(target)


def _is_re_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and (node.func.attr in _METHODS or node.func.attr == "compile")
    )


def _value(node: ast.expr, names: dict[str, object]) -> str:
    """Evaluate a constant expression, using the names of its module."""
    try:
        found = eval(compile(ast.Expression(node), "<pattern>", "eval"), names)  # noqa: S307  our own source
    except NameError as error:
        raise AssertionError(
            f"{ast.unparse(node)} is no constant of its module: compile it where it is written"
        ) from error
    assert isinstance(found, str | bytes | int)
    return found  # type: ignore[return-value]
