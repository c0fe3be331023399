"""A map that evicts its least recently used entry when it is full: whatever a peer can fill needs a bound."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedMap(OrderedDict[K, V]):
    """At most `size_max` entries in the order of their last use. Assigning is a use; `get` and `[]` are none."""

    def __init__(self, size_max: int, items: Iterable[tuple[K, V]] = ()) -> None:
        super().__init__()
        self._size_max = size_max
        for key, value in items:
            self[key] = value

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self._size_max:
            self.popitem(last=False)

    def use(self, key: K, make: Callable[[], V]) -> V:
        """Return the entry of `key`, made if it is absent, and mark it as used last."""
        value = self.get(key)
        if value is None:
            value = self[key] = make()
        else:
            self.move_to_end(key)
        return value
