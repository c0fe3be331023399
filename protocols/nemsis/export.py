"""Write a care record as a document of NEMSIS 3.5.1, and check it against our table.

The record comes first; `Supplied` fills what the record lacks and another source knows. An element without content is
exported as NEMSIS demands: a required or recommended one as "not recorded", an optional one not at all. A mandatory
element without content, and content that NEMSIS does not permit, is a problem: then there is no document.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

from protocols.epcr.catalogue import find_group
from protocols.epcr.change import FieldChange
from protocols.epcr.element import NEMSIS_NEGATIVES, NEMSIS_NOT_RECORDED, Element, Negative, NotRecorded, Usage
from protocols.epcr.record import CareRecord
from protocols.nemsis.content import STREETS, Demand, attributes_of, demand_of, find_fault, spell
from protocols.nemsis.problem import Omission, Problem
from protocols.nemsis.report import AGENCY, AGENCY_ELEMENTS, REPORT
from protocols.nemsis.selection import Scope, Selection
from protocols.nemsis.structure import Branch, Leaf
from protocols.nemsis.writer import branch_lines, leaf_line, report_text, whole_document

_NOWHERE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The agency that reports: its id in its state, its number, and the ANSI code of the state (dAgency)."""

    state_id: str
    number: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """Input of an export beside the record. `report_id` is the identity of the report for ever. `values` has values
    by element of NEMSIS, for mandatory and required elements that the record lacks. `not_reporting` are keys of
    elements that the agency does not report, whatever the record has."""

    sender: Sender
    report_id: UUID
    values: Mapping[str, str] = field(default_factory=dict)
    not_reporting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Exported:
    """Result of an export: the report `report_id` of a record as a part of a document of `sender`, empty if there are
    problems. `omissions` are what the record has and the report has not."""

    sender: Sender
    report_id: UUID
    report: bytes
    problems: tuple[Problem, ...]
    omissions: tuple[Omission, ...]

    @property
    def document(self) -> bytes:
        """The EMSDataSet document with this report alone, empty if there are problems."""
        return b"" if self.problems else document_of(self.sender, [self.report])

    @property
    def omitted(self) -> int:
        """The number of statements of the record that the report has not."""
        return sum(each.count for each in self.omissions)


def export_record(record: CareRecord, supplied: Supplied) -> Exported:
    """Write the current care record of one encounter as a report. Each field is examined once."""
    export = _Export(Selection(record), supplied)
    lines, _ = export.branch(REPORT, {}, attributes={"UUID": str(supplied.report_id)})
    omissions = (*export.selection.omissions, *export.omissions)
    report = b"" if export.problems else report_text(lines)
    return Exported(supplied.sender, supplied.report_id, report, tuple(export.problems), omissions)


def document_of(sender: Sender, reports: Iterable[bytes]) -> bytes:
    """Return an EMSDataSet document with these reports of one agency."""
    values = zip(AGENCY_ELEMENTS, (sender.state_id, sender.number, sender.state), strict=True)
    return whole_document(branch_lines(AGENCY, [leaf_line(name, value, {}) for name, value in values]), reports)


@dataclass(slots=True)
class _Export:
    selection: Selection
    supplied: Supplied
    problems: list[Problem] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)

    def branch(self, node: Branch, scope: Scope, attributes: Mapping[str, str] = _NOWHERE) -> tuple[list[str], bool]:
        """Return the lines of a branch, and whether the record or another source states any of its content."""
        lines: list[str] = []
        stated = False
        for child in node.children:
            if isinstance(child, Leaf):
                found, has_content = self._leaf(child.name, scope)
            else:
                found, has_content = self._branches(child, scope)
            lines += found
            stated = stated or has_content
        return branch_lines(node.name, lines, attributes), stated

    def _branches(self, node: Branch, scope: Scope) -> tuple[list[str], bool]:
        """Return the lines of a branch in its parent: once, or once for each entry of its group."""
        if node.entries is None:
            lines, stated = self.branch(node, scope)
            return (lines, stated) if stated or node.required else ([], False)
        lines = []
        for entry in self.selection.entries(node.entries, scope):
            found, stated = self.branch(node, {**scope, node.entries: entry})
            if stated:
                lines += found
        if lines or not node.required:
            return lines, bool(lines)
        blank, _ = self.branch(node, {**scope, node.entries: None})
        return blank, False

    def _leaf(self, name: str, scope: Scope) -> tuple[list[str], bool]:
        """Return the lines of an element, one for each value."""
        demand = demand_of(name)
        is_reported = demand.element is None or demand.element.key not in self.supplied.not_reporting
        if demand.element is not None and (is_reported or demand.usage is Usage.MANDATORY):
            problems = len(self.problems)
            statements = self._statements(demand.element, scope)
            written = [self._line(demand, demand.element, change) for change in statements]
            lines = [line for line in written if line is not None]
            if lines or len(self.problems) > problems:
                return lines, True
        value = self.supplied.values.get(name)
        if value is not None and is_reported and self._is_fit(demand, value):
            return [leaf_line(name, value, attributes_of(name, value))], True
        return self._blank(demand, is_reported=is_reported), False

    def _is_fit(self, demand: Demand, value: str) -> bool:
        """Return whether a supplied value may be exported; if not, note the omission."""
        rule = None if demand.element is None else find_fault(demand.name, demand.element, value)
        if rule is not None:
            self.omissions.append(Omission(demand.name, f"The value outside of the record is not {rule}."))
        return rule is None

    def _blank(self, demand: Demand, *, is_reported: bool) -> list[str]:
        """Return the lines of an element without content."""
        if demand.usage is Usage.MANDATORY:
            self._note(
                demand, "", "missing", "NEMSIS demands a value, and the care record has none. Enter it in the record."
            )
            return []
        if demand.usage is Usage.OPTIONAL:
            return []
        reason = NotRecorded.NOT_RECORDED
        if not is_reported and NotRecorded.NOT_REPORTING in demand.reasons:
            reason = NotRecorded.NOT_REPORTING
        return [leaf_line(demand.name, None, {"NV": NEMSIS_NOT_RECORDED[reason]})]

    def _statements(self, element: Element, scope: Scope) -> list[FieldChange]:
        """Return the statements that stand about an element. Of several entries that share a place for one value, the
        latest one is returned, and the others are omissions."""
        found = [change for each in self.selection.fields(element, scope) for change in each.shown]
        found = [change for change in found if change.content != (None, None, None)]  # a withdrawal
        if element.many:
            return list({change.content: change for change in found}.values())
        if len(found) > 1:
            latest = max(found, key=lambda change: change.gateway_time_us)
            if others := sum(change.content != latest.content for change in found):
                reason = "NEMSIS has one value for all entries of the group. The latest one is exported."
                self.omissions.append(Omission(element.key, reason, others))
            return [latest]
        return found

    def _line(self, demand: Demand, element: Element, change: FieldChange) -> str | None:
        """Return the line of a statement, or None after a problem or an omission was noted."""
        entry = change.entry or ""
        if change.not_recorded is not None:
            return self._reason_line(demand, change.not_recorded, entry)
        attributes: dict[str, str] = {}
        if change.negative is not None:
            permitted = element.instead if change.value is None else element.with_value
            if change.negative not in permitted:
                place = "instead of" if change.value is None else "beside"
                text = f"NEMSIS does not permit this pertinent negative {place} a value. Change it in the record."
                self._note(demand, entry, "negative_not_permitted", text)
                return None
            attributes["PN"] = NEMSIS_NEGATIVES[Negative(change.negative)]
        if change.value is None:
            return leaf_line(demand.name, None, attributes)
        if element.values.kind == "reference":
            self.omissions.append(Omission(element.key, "The bytes of the file are not stored in the cloud."))
            return None
        if (rule := find_fault(demand.name, element, change.value)) is not None:
            text = f"The value is not {rule}. Correct it in the record"
            end = "." if demand.usage is Usage.MANDATORY else ", or do not report the element."
            self._note(demand, entry, "value_not_permitted", f"{text}{end}")
            return None
        text = spell(element, change.value)
        attributes |= attributes_of(demand.name, text)
        if demand.name in STREETS:
            text, _, further = text.strip().partition("\n")
            if further:
                attributes["StreetAddress2"] = further
        return leaf_line(demand.name, text, attributes)

    def _reason_line(self, demand: Demand, reason: str, entry: str) -> str | None:
        if reason not in demand.reasons:
            if demand.usage in (Usage.MANDATORY, Usage.OPTIONAL):
                return None  # an optional element is left out; that a mandatory one is missing is noted
            text = "NEMSIS does not permit this reason for a missing value. Change it in the record."
            self._note(demand, entry, "reason_not_permitted", text)
            return None
        return leaf_line(demand.name, None, {"NV": NEMSIS_NOT_RECORDED[NotRecorded(reason)]})

    def _note(self, demand: Demand, entry: str, code: str, text: str) -> None:
        """Note a problem."""
        element = demand.element
        title = demand.name
        if element is not None and (group := find_group(element.group)) is not None:
            title = f"{demand.name} ({group.english}: {element.english})"
        key = "" if element is None else element.key
        self.problems.append(Problem(demand.name, key, entry, code, f"{title}: {text}"))
