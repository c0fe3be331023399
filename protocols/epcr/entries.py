"""Reading access to a care record by element and entry, for the rules that look at several fields."""

from datetime import UTC, datetime, timedelta

from protocols.epcr.record import CareRecord, Field, FieldName

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entries:
    """The fields of a record without those of void entries."""

    def __init__(self, record: CareRecord) -> None:
        self._fields: dict[FieldName, Field] = {}
        self._entries: dict[str, dict[str, None]] = {}
        for field in record.fields:
            if record.declared_void(field.name) is None:
                self._fields[field.name] = field
                group = field.name.key.partition(".")[0]
                self._entries.setdefault(group, {})[field.name.entry] = None

    def entries(self, group: str) -> list[str]:
        """Return the ids of a group's entries, those with the earliest time first, then those without a time."""
        return sorted(self._entries.get(group, ()), key=lambda entry: (self._order(group, entry), entry))

    def field(self, key: str, entry: str = "") -> Field | None:
        """Return a field with content, or None."""
        return self._fields.get(FieldName(key, entry))

    def value(self, key: str, entry: str = "") -> str | None:
        """Return the value that is shown for a field, the last one of several, or None."""
        field = self.field(key, entry)
        return None if field is None else field.shown[-1].value

    def values(self, key: str, entry: str = "") -> list[str]:
        """Return the values that are shown for a field."""
        field = self.field(key, entry)
        return [] if field is None else [each.value for each in field.shown if each.value is not None]

    def is_stated(self, key: str, entry: str = "") -> bool:
        """Return whether anything is stated: a value, a pertinent negative, or why it is not recorded."""
        return FieldName(key, entry) in self._fields

    def time_us(self, key: str, entry: str = "") -> int | None:
        """Return the time in a field in µs since 1970, or None."""
        value = self.value(key, entry)
        return None if value is None else moment_us(value)

    def _order(self, group: str, entry: str) -> float:
        at_us = self.time_us(f"{group}.time", entry)
        return float("inf") if at_us is None else float(at_us)


def moment_us(text: str) -> int | None:
    """Return a time with an offset in µs since 1970, or None for another text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)
