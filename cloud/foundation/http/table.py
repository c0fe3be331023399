"""Find the route of a path in a tree of path segments. Each host has its own tree.

Each segment is percent-decoded separately, so an encoded slash never separates segments. Dot segments, empty ones and
those that are not UTF-8 match nothing. A parameter that cannot be an id becomes `NEVER_AN_ID` (contract matrix A-015).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote

from cloud.foundation.http.request import NEVER_AN_ID

_PARAMETER = re.compile(r"(?P<before>[^{}]*)\{(?P<name>[A-Za-z_]+)(?P<rest>\*?)\}(?P<after>[^{}]*)")
IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Names with dots exist only where the path has a literal part beside them, such as `{id}.json`.
DOTTED = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Routed(Protocol):
    """An item of the route table. It has a method and a path template."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...


Item = TypeVar("Item", bound=Routed)


class _Node(Generic[Item]):
    __slots__ = ("literals", "methods", "parameters", "rest")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[Item]] = {}
        self.parameters: list[tuple[str, str, str, _Node[Item]]] = []  # before, after, name, node
        self.rest: tuple[str, _Node[Item]] | None = None
        self.methods: dict[str, Item] = {}


class RouteTable(Generic[Item]):
    """The routes of one host. Raises ValueError for two routes with the same method and path: a programming error."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._root: _Node[Item] = _Node()
        self._whole: dict[str, dict[str, Item]] = {}  # paths without parameters, found in one look-up
        for item in items:
            methods = self._methods_of(item.path)
            if item.method in methods:
                raise ValueError(f"two rows answer {item.method} {item.path}")
            methods[item.method] = item
            if "{" not in item.path:
                self._whole[item.path] = methods

    def _methods_of(self, path: str) -> dict[str, Item]:
        node = self._root
        for segment in path[1:].split("/"):
            node = self._child(node, segment)
        return node.methods

    def _child(self, node: _Node[Item], segment: str) -> _Node[Item]:
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            return node.literals.setdefault(segment, _Node())
        if found["rest"]:
            node.rest = node.rest or (found["name"], _Node())
            return node.rest[1]
        for before, after, name, child in node.parameters:
            if (before, after) == (found["before"], found["after"]):
                if name != found["name"]:
                    raise ValueError(f"one place in the paths is called {name} and {found['name']}")
                return child
        fresh: _Node[Item] = _Node()
        node.parameters.append((found["before"], found["after"], found["name"], fresh))
        node.parameters.sort(key=lambda one: -len(one[0]) - len(one[1]))  # more literal text first
        return fresh

    def find(self, path: str) -> tuple[Mapping[str, Item], Mapping[str, str]] | None:
        """Return two mappings for a path: from each method to its route, and from each path parameter to its value.
        Return None if no route matches. `path` is as sent, without the query."""
        methods = self._whole.get(path)
        if methods is not None:
            return methods, {}
        if not path.startswith("/"):
            return None
        try:
            segments = [unquote(part, errors="strict") if "%" in part else part for part in path[1:].split("/")]
        except UnicodeDecodeError:
            return None
        given: dict[str, str] = {}
        node = _walk(self._root, segments, 0, given)
        return None if node is None else (node.methods, given)


def _walk(node: _Node[Item], segments: list[str], at: int, given: dict[str, str]) -> _Node[Item] | None:
    if at == len(segments):
        return node if node.methods else None
    segment = segments[at]
    child = node.literals.get(segment)
    if child is not None:
        found = _walk(child, segments, at + 1, given)
        if found is not None:
            return found
    if segment and segment not in (".", ".."):
        for before, after, name, child in node.parameters:
            if len(segment) > len(before) + len(after) and segment.startswith(before) and segment.endswith(after):
                found = _walk(child, segments, at + 1, given)
                if found is not None:
                    value = segment[len(before) : len(segment) - len(after)]
                    found_shape = (DOTTED if before or after else IDENTIFIER).fullmatch(value)
                    given[name] = value if found_shape else NEVER_AN_ID
                    return found
    if node.rest is not None:
        name, child = node.rest
        given[name] = "/".join(segments[at:])
        return child
    return None
