"""Map of bounded size for data that a peer controls, which would otherwise grow without a limit."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedMap(OrderedDict[K, V]):
    """Map of at most `size_max` entries that evicts the least recently used one when it is full. `use` and an
    assignment count as a use of the entry; `get` and `[]` do not."""

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
        """Return the entry of `key`, which `make()` creates if it is absent, and mark it as the most recently used."""
        value = self.get(key)
        if value is None:
            value = self[key] = make()
        else:
            self.move_to_end(key)
        return value
