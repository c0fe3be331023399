"""Measurements of a Bluetooth device that are not delivered yet: a bounded store, in memory or in a file.

There are two uses. A thermometer or a cuff indicates its stored values, oldest first, and removes confirmed ones. A
glucose meter keeps records until the client deletes them (record access control point). Numbers count from 1 over the
life of the store and are never reused, so they can be sequence numbers and record numbers. When the store is full the
oldest measurement is dropped, as in a real meter, and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from simulators.line_file import LineFile

CAPACITY: Final = 1_000
"""Capacity of a good meter."""

Values: TypeAlias = tuple[tuple[int, bytes], ...]
"""Characteristic values that belong together, each with its characteristic."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored measurement, with its values in the order in which they are sent."""

    number: int
    values: Values


class Store:
    """Bounded store of measurements. `dropped` counts the measurements that a full store has dropped."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        """Open the store in the file `path` (None: in memory only). Raises OSError where the file cannot be written."""
        self._file = None if path is None else LineFile(path)
        self._capacity = capacity
        self._kept: dict[int, Values] = {}
        self._last = 0
        self.dropped = 0
        for line in () if self._file is None else self._file.lines():
            self._read(line)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def next_number(self) -> int:
        return self._last + 1

    def keep(self, values: Values) -> Kept:
        """Store one measurement under `next_number`. The measurement is durable when the call returns."""
        kept = Kept(self.next_number, values)
        text = ",".join(f"{characteristic:04x}:{octets.hex()}" for characteristic, octets in values)
        self._write(f"keep {kept.number} {text}")
        self._last = kept.number
        self._kept[kept.number] = values
        if len(self._kept) > self._capacity:
            self.drop([next(iter(self._kept))])
            self.dropped += 1
        return kept

    def kept(self) -> Sequence[Kept]:
        """Return all measurements, oldest first."""
        return [Kept(number, values) for number, values in self._kept.items()]

    def first_after(self, number: int) -> Kept | None:
        """Return the oldest measurement with a number above `number`, or None."""
        return next((Kept(each, values) for each, values in self._kept.items() if each > number), None)

    def drop(self, numbers: Sequence[int]) -> None:
        """Remove the measurements with these numbers. Unknown numbers are ignored."""
        known = [number for number in numbers if number in self._kept]
        if known:
            self._write("drop " + " ".join(map(str, known)))
        for number in known:
            del self._kept[number]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line)

    def _read(self, line: str) -> None:
        what, *words = line.split(" ")
        if what == "drop":
            for number in words:
                self._kept.pop(int(number), None)
            return
        number, text = words
        pairs = (pair.split(":") for pair in text.split(","))
        self._last = int(number)
        self._kept[self._last] = tuple((int(uuid, 16), bytes.fromhex(octets)) for uuid, octets in pairs)
