"""Current care record, computed from the log of field changes. It depends only on the changes, never on their arrival.

Order. The changes of one gateway's store are in the order in which it stored them. Two stores (a second vehicle, a
replaced computer) have no common order: their logs are merged by gateway time, each log keeping its own order.

Authors. A change replaces what its author stated before about the same field, and what it names in `replaces`. All else
stands beside it: when two authors state different things without having seen each other, both stand, the later one is
shown, and the field is contradictory until one author replaces the other's statement. Equal statements do not
contradict each other. For an element with many values this holds for each value. A statement of the dispatch system is
never shown instead of a person's, however late it comes.

Repetition. A change whose id was used before is ignored, whatever it states; the log still has it.

Withdrawal and void entries: see `Action`. A void entry keeps its fields. An element that the catalogue does not know is
kept like an element with one value.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from typing import NamedTuple

from protocols.epcr.catalogue import ELEMENTS, find_element, find_group
from protocols.epcr.change import DISPATCH_AUTHOR, Action, FieldChange

_RANK = {element.key: rank for rank, element in enumerate(ELEMENTS)}


class FieldName(NamedTuple):
    """An element of one entry. `entry` is empty in groups without entries."""

    key: str
    entry: str


@dataclass(frozen=True, slots=True)
class Field:
    """Content of one field. `shown` has one statement, or one for each value of an element with many.
    `contradicting` are the other statements that stand and differ."""

    name: FieldName
    shown: tuple[FieldChange, ...]
    contradicting: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True)
class CareRecord:
    """The record of one encounter. `fields` is in the order of the catalogue, unknown elements last. `void` has the
    change that declared an entry void, by group and entry. `standing` are the ids of the changes whose statement
    stands; `repeated` counts the changes that were ignored."""

    fields: tuple[Field, ...]
    void: Mapping[FieldName, FieldChange]
    standing: frozenset[str]
    repeated: int

    def declared_void(self, name: FieldName) -> FieldChange | None:
        """Return the change that declared the entry of this field void, or the entry that it belongs to."""
        group = name.key.partition(".")[0]
        if (own := self.void.get(FieldName(group, name.entry))) is not None:
            return own
        known = find_group(group)
        if known is None or known.parent is None:
            return None
        return self.void.get(FieldName(known.parent, name.entry.partition("/")[0]))


def in_order(logs: Iterable[Sequence[FieldChange]]) -> list[FieldChange]:
    """Merge the logs of several stores, each in its own order, by gateway time. The result depends on the order of
    `logs` only where times are equal."""
    return list(merge(*logs, key=lambda change: change.gateway_time_us))


def current_record(changes: Iterable[FieldChange]) -> CareRecord:
    """Compute the record from changes that are in order. Each change is examined once."""
    registers: dict[FieldName, _Register] = {}
    void: dict[FieldName, FieldChange] = {}
    seen: set[str] = set()
    repeated = 0
    for change in changes:
        if change.id in seen:
            repeated += 1
            continue
        seen.add(change.id)
        name = FieldName(change.key, change.entry or "")
        if change.action is Action.VOID:
            void.setdefault(name, change)
            continue
        if (register := registers.get(name)) is None:
            element = find_element(change.key)
            register = registers[name] = _Register(many=element is not None and element.many)
        register.apply(change)
    fields = [found for name, register in registers.items() if (found := register.field(name)) is not None]
    fields.sort(key=lambda each: (_RANK.get(each.name.key, len(_RANK)), each.name))
    standing = {change.id for each in fields for change in (*each.shown, *each.contradicting)}
    standing.update(change.id for change in void.values())
    return CareRecord(tuple(fields), void, frozenset(standing), repeated)


@dataclass(slots=True)
class _Register:
    """The statements about one field that stand, oldest first: for each value of an element with many, or for the empty
    text. `named` are the ids that changes have replaced."""

    many: bool
    members: dict[str, list[FieldChange]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def apply(self, change: FieldChange) -> None:
        replaced = change.id in self.named  # by a change of another store, which comes first by its clock
        self.named.update(change.replaces)
        if replaced:
            return
        own = self.members.setdefault((change.value or "") if self.many else "", [])
        removal = change.action is Action.REMOVE
        everything = removal and not change.replaces
        own[:] = [] if everything else [other for other in own if other.author != change.author]
        for member in self.members.values():
            member[:] = [other for other in member if other.id not in change.replaces]
        # Of a field with many values a removal leaves nothing. Of one value it stands against other statements.
        if removal and (not own or self.many):
            return
        if change.author == DISPATCH_AUTHOR:
            own.insert(0, change)
        else:
            own.append(change)

    def field(self, name: FieldName) -> Field | None:
        """Return the content of the field, or None when nothing stands."""
        shown: list[FieldChange] = []
        contradicting: list[FieldChange] = []
        for member in filter(None, self.members.values()):
            shown.append(member[-1])
            contradicting += [other for other in member[:-1] if other.content != member[-1].content]
        if len(shown) > 1:  # a pertinent negative or a reason beside values contradicts them
            contradicting += [change for change in shown if change.value is None]
            shown = [change for change in shown if change.value is not None]
        return Field(name, tuple(shown), tuple(contradicting)) if shown else None
