"""Read a document of NEMSIS as statements about elements of the care record.

A statement is what one element of the document has: a value, a pertinent negative, a reason for a missing value. What
the care record cannot contain is an omission, which names the element and the reason and never a value.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from protocols.epcr.catalogue import find_group
from protocols.epcr.change import FieldChange
from protocols.epcr.check import find_fault
from protocols.epcr.element import NEMSIS_NEGATIVES, NEMSIS_NOT_RECORDED, Element
from protocols.nemsis.content import DIASTOLIC, ETCO2, MMHG, STREETS, find_catalogued
from protocols.nemsis.document import DocumentRefused, Node, read_document
from protocols.nemsis.problem import Omission
from protocols.nemsis.report import AGENCY, AGENCY_ELEMENTS, REPORT
from protocols.nemsis.selection import Scope
from protocols.nemsis.structure import Branch, Leaf

AGENCY_LENGTH_MAX = 50
"""Longest number of an agency. NEMSIS permits 15 characters."""
_FACTORS = {"3340005": (Decimal("7.50062"), "kPa"), "3340003": (Decimal("7.6"), "percent of 760 mmHg")}
"""Units of an end-tidal CO2 by their codes: millimetres of mercury in one of them, and its name."""
_NEGATIVES = {code: negative.value for negative, code in NEMSIS_NEGATIVES.items()}
_REASONS = {code: reason.value for reason, code in NEMSIS_NOT_RECORDED.items()}
_DERIVED = frozenset(("PN", "NV", "CodeType", "ETCO2Type", "StreetAddress2", "CorrelationID"))
"""Attributes that are read, that the export derives from the value, or that only connect elements of one document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The content of one element of a document. `entry` is the entry of its group, None in a group without entries.
    `time_us` is the time that the document states for the entry."""

    key: str
    entry: str | None
    value: str | None
    negative: str | None
    not_recorded: str | None
    time_us: int | None = None


@dataclass(frozen=True, slots=True)
class ReadReport:
    """One report of a document. `id` is its identity for ever; `agency` the number of the agency that sent it."""

    id: UUID
    agency: str
    statements: tuple[Statement, ...]
    omissions: tuple[Omission, ...]


def read_reports(data: bytes) -> tuple[ReadReport, ...]:
    """Return the reports of a document in their order. Raises `DocumentRefused`."""
    root = read_document(data)
    if root.name != "EMSDataSet":
        raise DocumentRefused("The document is not an EMSDataSet of the namespace http://www.nemsis.org.")
    found = tuple(
        _read_report(report, header)
        for header in root.children
        if header.name == "Header"
        for report in header.children
        if report.name == REPORT.name
    )
    if not found:
        raise DocumentRefused("The document has no PatientCareReport.")
    return found


def _read_report(node: Node, header: Node) -> ReadReport:
    try:
        identity = UUID(node.attributes.get("UUID", ""))
    except ValueError:
        raise DocumentRefused("A PatientCareReport has no valid UUID.") from None
    sender = header.find(AGENCY)
    number = None if sender is None else sender.find(AGENCY_ELEMENTS[1])
    reading = _Reading()
    reading.branch(node, REPORT, {})
    omissions = [Omission(place, reason, count) for (place, reason), count in reading.omissions.items()]
    agency = "" if number is None else number.text.strip()
    if len(agency) > AGENCY_LENGTH_MAX or not agency.isprintable():
        raise DocumentRefused(f"{AGENCY_ELEMENTS[1]} is not a number of an agency.")
    return ReadReport(identity, agency, tuple(reading.statements), tuple(omissions))


@dataclass(slots=True)
class _Reading:
    statements: list[Statement] = field(default_factory=list)
    omissions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def branch(self, node: Node, ours: Branch, scope: Scope) -> None:
        """Read the children of a branch."""
        known = {child.name: child for child in ours.children}
        seen: Counter[str] = Counter()
        for child in node.children:
            target = known.get(child.name)
            seen[child.name] += 1
            if target is None:
                for leaf in _leaves(child):
                    self.omissions[leaf.name, "The care record does not have this element."] += 1
            elif isinstance(target, Leaf):
                self._leaf(child, scope, is_repeated=seen[child.name] > 1)
            elif target.entries is not None:
                entry = _entry(target.entries, seen[child.name], scope)
                before = len(self.statements)
                self.branch(child, target, {**scope, target.entries: entry})
                self._state_time(target.entries, entry, before)
            elif seen[child.name] == 1:
                self.branch(child, target, scope)
            else:
                for leaf in _leaves(child):
                    self.omissions[leaf.name, "The care record has this group once. The first one is read."] += 1

    def _state_time(self, group: str, entry: str, first: int) -> None:
        """Give the statements about an entry, from `first` on, the time that the document states for it."""
        own = [each for each in self.statements[first:] if each.entry == entry]
        time_us = next((_moment_us(each.value) for each in own if each.key == f"{group}.time"), None)
        if time_us is not None:
            self.statements[first:] = [
                _timed(each, time_us) if each.entry == entry else each for each in self.statements[first:]
            ]

    def _leaf(self, node: Node, scope: Scope, *, is_repeated: bool) -> None:
        element = find_catalogued(node.name)
        if element is None:
            if _has_content(node):
                self.omissions[node.name, "The care record does not have this element."] += 1
            return
        if is_repeated and not element.many:
            self.omissions[node.name, "NEMSIS permits the element once. The first one is read."] += 1
            return
        for attribute in node.attributes.keys() - _DERIVED:
            self.omissions[f"{node.name}/@{attribute}", "The care record does not have this attribute."] += 1
        statement = self._statement(node, element, scope)
        if statement is None:
            return
        fault = find_fault(_change(statement))
        if fault is not None:
            self.omissions[node.name, fault.text] += 1
        else:
            self.statements.append(statement)

    def _statement(self, node: Node, element: Element, scope: Scope) -> Statement | None:
        """Return the content of an element, or None after an omission was noted."""
        negative = _NEGATIVES.get(node.attributes.get("PN", ""), node.attributes.get("PN"))
        reason = _REASONS.get(node.attributes.get("NV", ""), node.attributes.get("NV"))
        value = None if node.is_nil else self._value(node, element)
        if value is None and not node.is_nil:
            return None
        if reason is not None and (value is not None or negative is not None):
            self.omissions[f"{node.name}/@NV", "A reason for a missing value stands beside other content."] += 1
            reason = None
        if value is None and negative is None and reason is None:
            self.omissions[node.name, "The element is empty without a reason."] += 1
            return None
        return Statement(
            key=element.key, entry=_own_entry(element, scope), value=value, negative=negative, not_recorded=reason
        )

    def _value(self, node: Node, element: Element) -> str | None:
        """Return the value of an element as the care record writes it, or None after an omission was noted."""
        if element.values.kind == "reference":
            self.omissions[node.name, "The bytes of a file are not part of the care record."] += 1
            return None
        text = node.text if element.values.kind == "text" else node.text.strip()
        if node.name in STREETS and (further := node.attributes.get("StreetAddress2")):
            return "\n".join(line for line in (text.strip(), further.strip()) if line)
        if node.name == ETCO2:
            return self._mmhg(text, node.attributes.get("ETCO2Type", MMHG), element)
        return text.upper() if node.name == DIASTOLIC else text  # P: measured by palpation

    def _mmhg(self, text: str, unit: str, element: Element) -> str | None:
        """Return an end-tidal CO2 in mmHg, converted if the document has another unit."""
        if unit == MMHG or not element.values.permits(text):
            return text  # a text that is no number is refused by its value set
        if unit not in _FACTORS:
            self.omissions[ETCO2, "The unit is unknown."] += 1
            return None
        factor, words = _FACTORS[unit]
        self.omissions[f"{ETCO2}/@ETCO2Type", f"The value was converted from {words} to whole mmHg."] += 1
        return f"{Decimal(text) * factor:.0f}"


def _leaves(node: Node) -> Iterator[Node]:
    """Yield the elements with content at and below a node."""
    if not node.children:
        if _has_content(node):
            yield node
        return
    for child in node.children:
        yield from _leaves(child)


def _has_content(node: Node) -> bool:
    return bool(node.text.strip()) or "PN" in node.attributes


def _entry(group: str, number: int, scope: Scope) -> str:
    """Return the id of the entry that the document has at this number of its group."""
    known = find_group(group)
    own = f"nemsis-{number:03d}"
    if known is None or known.parent is None:
        return own
    return f"{scope.get(known.parent) or _FIRST}/{own}"


_FIRST = "nemsis-001"


def _own_entry(element: Element, scope: Scope) -> str | None:
    """Return the entry of an element: that of its branch, or the first one where the document has the group once."""
    group = find_group(element.group)
    assert group is not None, "each element has a group"
    return (scope.get(group.name) or _FIRST) if group.repeated else None


def _moment_us(value: str | None) -> int | None:
    if value is None:
        return None
    since = datetime.fromisoformat(value) - datetime(1970, 1, 1, tzinfo=UTC)
    time_us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return time_us if time_us >= 0 else None


def _timed(statement: Statement, time_us: int) -> Statement:
    return Statement(
        key=statement.key,
        entry=statement.entry,
        value=statement.value,
        negative=statement.negative,
        not_recorded=statement.not_recorded,
        time_us=time_us,
    )


def _change(statement: Statement) -> FieldChange:
    """Return a statement as a change, for the check against the catalogue."""
    return FieldChange(
        id="import",
        encounter="import",
        key=statement.key,
        author="import",
        gateway_time_us=0,
        entry=statement.entry,
        value=statement.value,
        negative=statement.negative,
        not_recorded=statement.not_recorded,
    )
