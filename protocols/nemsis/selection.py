"""Find in a care record what belongs at a place of the document."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from protocols.epcr.annotations import ANNOTATIONS
from protocols.epcr.catalogue import find_element, find_group
from protocols.epcr.catalogue.groups import GROUPS
from protocols.epcr.element import Element
from protocols.epcr.record import CareRecord, Field
from protocols.nemsis.problem import Omission

Scope = Mapping[str, str | None]
"""The entry of each repeated group to which a branch belongs. None: there is no entry, and the branch is blank."""

_CHILDREN = {
    group.name: tuple(child.name for child in GROUPS if child.parent == group.name)
    for group in GROUPS
    if group.repeated and group.parent is None
}
_LAST = datetime.max.replace(tzinfo=UTC)


class Selection:
    """The fields of a care record by element and entry, without the entries that are declared void. `omissions` are the
    elements that the catalogue does not know, and the contradictory statements that are not shown."""

    def __init__(self, record: CareRecord) -> None:
        self.omissions: list[Omission] = []
        self._fields: dict[str, dict[str, Field]] = {}
        self._entries: dict[str, set[str]] = {}
        unknown: dict[str, int] = {}
        for field in record.fields:
            key, entry = field.name
            if key in ANNOTATIONS:
                continue  # about the record itself; a report has no place for it
            element = find_element(key)
            if element is None:
                unknown[key] = unknown.get(key, 0) + 1
                continue
            if record.declared_void(field.name) is not None:
                continue
            self._fields.setdefault(key, {})[entry] = field
            self._entries.setdefault(element.group, set()).add(entry)
            if field.contradicting:
                reason = "Another author states something else. The later statement is exported."
                self.omissions.append(Omission(key, reason, len(field.contradicting)))
        reason = "The catalogue of this release does not have the element."
        self.omissions += [Omission(key, reason, count) for key, count in unknown.items()]

    def entries(self, group: str, scope: Scope) -> list[str]:
        """Return the entries of a repeated group within a scope, in the order of their times, then of their ids."""
        found = set(self._entries.get(group, ()))
        for child in _CHILDREN.get(group, ()):
            found.update(entry.partition("/")[0] for entry in self._entries.get(child, ()))
        return sorted(_within(found, group, scope), key=lambda entry: (self._time(group, entry), entry))

    def fields(self, element: Element, scope: Scope) -> list[Field]:
        """Return the fields of an element in a scope: one for each entry if the branch has no entries of its group."""
        by_entry = self._fields.get(element.key, {})
        if element.group in scope:
            entry = scope[element.group]
            return [by_entry[entry]] if entry is not None and entry in by_entry else []
        return [by_entry[entry] for entry in sorted(_within(by_entry, element.group, scope))]

    def _time(self, group: str, entry: str) -> datetime:
        """Return the time that an entry states, or the last of all times."""
        field = self._fields.get(f"{group}.time", {}).get(entry)
        value = None if field is None else field.shown[-1].value
        element = find_element(f"{group}.time")
        if value is None or element is None or not element.values.permits(value):
            return _LAST
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except OverflowError:
            return _LAST


def _within(entries: Iterable[str], group: str, scope: Scope) -> Iterable[str]:
    """Return the entries that belong to the entry of their parent group in `scope`, all where it has none."""
    known = find_group(group)
    parent = None if known is None else known.parent
    if parent is None or parent not in scope:
        return entries
    return [entry for entry in entries if entry.partition("/")[0] == scope[parent]]
