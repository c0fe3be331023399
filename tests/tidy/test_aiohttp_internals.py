"""Private names of aiohttp's server are used in one file only, and the installed version defines each of them.

If one of these tests fails after an update: read what aiohttp changed, adapt `aiohttp_internals.py` and the pin in
`pyproject.toml`, and run `tests/cloud/http`, which tests the behaviour.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from inspect import getsource

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.web import BaseRequest, BaseRunner, BaseSite, StreamResponse, TCPSite
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server
from packaging.requirements import Requirement

from tests.tidy.sources import ROOT, python_files

pytestmark = pytest.mark.finding("cloud-3")

INTERNALS = "cloud/foundation/http/aiohttp_internals.py"
CLASSES = (RequestHandler, BaseProtocol, Server, BaseRequest, StreamResponse, BaseSite, TCPSite, BaseRunner)
PRIVATE = re.compile(r"_[a-z]\w*")


@cache
def names_of(kind: type) -> frozenset[str]:
    """Return the private attributes that an aiohttp class and its aiohttp base classes set, declare or define."""
    found: set[str] = set()
    for one in kind.__mro__:
        if one.__module__.startswith("aiohttp."):
            found |= set(re.findall(r"\bself\.(_[a-z]\w*)", getsource(one))) | set(vars(one))
    return frozenset(name for name in found if PRIVATE.fullmatch(name))


ALL_NAMES = frozenset().union(*map(names_of, CLASSES))


def classes_in(path: str) -> Iterator[tuple[ast.ClassDef, set[str], set[str]]]:
    """Yield each class of a file, the private names that it uses on `self`, and the names that it defines itself."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ClassDef):
            used = {
                inner.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Attribute)
                and isinstance(inner.value, ast.Name)
                and inner.value.id == "self"
                and PRIVATE.fullmatch(inner.attr)
            }
            own = {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}
            own |= {
                inner.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
            }
            yield node, used, own


def foreign_uses(path: str) -> set[str]:
    """Return the private names of aiohttp that a file imports, or uses on objects other than `self` and `cls`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp"):
            found |= {alias.name for alias in node.names if alias.name.startswith("_")}
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            found |= {node.attr} & ALL_NAMES
    return found


def cloud_files() -> list[str]:
    """Return the cloud's files that may use aiohttp's server: `cloud/hosts.py` and the files of packages named
    `http`."""
    files = [str(path.relative_to(ROOT)) for path in python_files()]
    return [name for name in files if name == "cloud/hosts.py" or (name.startswith("cloud/") and "/http/" in name)]


def test_private_names_of_aiohttp_are_used_in_only_one_file() -> None:
    uses = {}
    for path in cloud_files():
        if path == INTERNALS:
            continue
        names = foreign_uses(path)
        for kind, used, own in classes_in(path):
            if any("Server" in ast.unparse(base) or "Handler" in ast.unparse(base) for base in kind.bases):
                names |= (used - own) & ALL_NAMES
        if names:
            uses[path] = sorted(names)
    assert uses == {}, f"move these uses of aiohttp's private names into {INTERNALS}"


def test_installed_aiohttp_defines_every_private_name_that_the_product_uses() -> None:
    bases = {"RequestHandler": RequestHandler, "Server": Server}
    missing = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse((ROOT / INTERNALS).read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp")
        for alias in node.names
        if not hasattr(import_module(str(node.module)), alias.name)
    ]
    for kind, used, own in classes_in(INTERNALS):
        for base in {ast.unparse(one) for one in kind.bases} & set(bases):
            missing += [f"{base}.{name}" for name in sorted(used - own - names_of(bases[base]))]
        if kind.name == "AiohttpRequest":
            missing += [f"BaseRequest.{name}" for name in ("_cancel", "_finish", "_task") if name not in ALL_NAMES]
    if "_server" not in names_of(TCPSite):
        missing.append("TCPSite._server")
    assert missing == [], f"aiohttp {aiohttp.__version__} no longer has these; {INTERNALS} relies on them"


def test_subclasses_of_aiohttp_classes_redefine_no_private_name() -> None:
    bases = {
        "AiohttpConnection": RequestHandler,
        "AiohttpServer": Server,
        "web.StreamResponse": StreamResponse,
        "Reply": StreamResponse,
    }
    seen, clashes = set(), []
    for path in cloud_files():
        for kind, _, own in classes_in(path):
            for base in map(ast.unparse, kind.bases):
                if base in bases:
                    seen.add(base)
                    clashes += [f"{kind.name}.{name}" for name in sorted(own & names_of(bases[base]))]
    assert seen == set(bases)
    assert clashes == [], f"aiohttp {aiohttp.__version__} has attributes of these names; rename ours"


def test_aiohttp_is_pinned_to_one_minor_version() -> None:
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (pin,) = [one for one in map(Requirement, about["project"]["dependencies"]) if one.name == "aiohttp"]
    major, minor = map(int, aiohttp.__version__.split(".")[:2])
    assert pin.specifier.contains(aiohttp.__version__)
    assert not pin.specifier.contains(f"{major}.{minor + 1}.0"), "a new minor version may change its private names"
