"""The facts of a care record that the rules of indicators read.

A fact is a value that stands in the record: the shown statement of a field whose entry is not void. A value beside a
pertinent negative, such as a drug that was considered and not given, is not a fact, unless the negative only states
that the value is approximate. Contradicting statements are not facts: the record shows one of them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from protocols.epcr.element import Negative
from protocols.epcr.record import CareRecord

_HARMLESS = frozenset({None, Negative.APPROXIMATE.value})


class Facts:
    """The values of one care record, by element and entry."""

    def __init__(self, values: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        """`values` maps the key of an element to a mapping from entries to values. The entry is empty in groups without
        entries."""
        self._values = values

    @classmethod
    def of(cls, record: CareRecord) -> "Facts":
        """Read the facts of a record."""
        values: dict[str, dict[str, tuple[str, ...]]] = {}
        for field in record.fields:
            if record.declared_void(field.name) is not None:
                continue
            stated = tuple(
                statement.value
                for statement in field.shown
                if statement.value is not None and statement.negative in _HARMLESS
            )
            if stated:
                values.setdefault(field.name.key, {})[field.name.entry] = stated
        return cls(values)

    def values(self, key: str, entry: str | None = None) -> Iterator[str]:
        """Yield the values of an element, in all entries or in one."""
        found = self._values.get(key, {})
        if entry is not None:
            yield from found.get(entry, ())
        else:
            for stated in found.values():
                yield from stated

    def numbers(self, key: str, entry: str | None = None) -> Iterator[float]:
        """Yield the numeric values of an element. Words such as "High" are left out."""
        for value in self.values(key, entry):
            try:
                yield float(value)
            except ValueError:
                continue

    def moment(self, key: str) -> datetime | None:
        """Return the first time of an element, None without one."""
        found = []
        for value in self.values(key):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                continue
            if moment.tzinfo is not None:
                found.append(moment)
        return min(found, default=None)

    def entries(self, group: str) -> Iterator[str]:
        """Yield the entries of a group that have a fact."""
        seen: set[str] = set()
        for key, entries in self._values.items():
            if key.partition(".")[0] == group:
                seen.update(entries)
        yield from sorted(seen)
