"""Generated care records, complete enough for a NEMSIS report. Codes come from the lists of the schema."""

import random
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from uuid import UUID

from protocols.epcr.catalogue import ELEMENTS
from protocols.epcr.catalogue.groups import GROUPS
from protocols.epcr.change import FieldChange
from protocols.epcr.element import Element, Negative, NotRecorded, Usage
from protocols.epcr.record import CareRecord, current_record
from protocols.epcr.value_sets import Decimal, Digits, Icd10, Letters, ListCode, OneOf, Position, Text, Whole
from protocols.nemsis.export import Sender, Supplied
from protocols.nemsis.forms import BLOOD_PRODUCTS
from tests.builders.care_changes import change
from tests.builders.nemsis_schema import schema_elements

BEGUN = datetime(2026, 3, 1, 1, 2, 3, tzinfo=timezone(timedelta(hours=1)))
SUPPLIED = Supplied(
    sender=Sender(state_id="C034", number="351-C034", state="09"),
    report_id=UUID("a1500a8d-f414-5ca3-84bc-4e0a7d0ccb15"),
)
NEEDED = {
    "call.report_number": "report-1",
    "call.software_maker": "Argus",
    "call.software_name": "Argus",
    "call.software_version": "1",
    "call.agency_number": "351-C034",
    "call.service_requested": "2205001",
    "call.unit_capability": "2207015",
    "call.vehicle": "AMB-42",
    "call.call_sign": "S01",
    "call.mode_to_scene": "2223001",
    "call.reason": "2301021",
    "times.unit_notified": "2026-03-01T01:02:03+01:00",
    "times.in_service": "2026-03-01T02:30:00+01:00",
    "disposition.unit": "4227001",
}
"""Values of the mandatory elements, by key."""
_LETTERS = string.ascii_letters + "ąćęłńóśźż &<>\"'%;"
_FORMED = {
    "ePatient.06": ("1444301", "7"),
    "ePatient.07": ("09001",),
    "ePatient.08": ("09", "72"),
    "ePatient.09": ("06810", "06810-1234", "A1B 2C3"),
    "ePatient.12": ("123456789",),
    "ePatient.18": ("212-555-0123", "+48 601 234 567"),
    "eScene.09": ("Y92.481", "Y92.0"),
    "eScene.17": ("1444301",),
    "eScene.18": ("09",),
    "eScene.19": ("06810",),
    "eScene.21": ("09001",),
    "eInjury.01": ("V03.10XA", "T56.0", "W19"),
    "eHistory.06": ("Z88.0", "7980", "10391"),
    "eHistory.08": ("I10", "J45.909", "F19.91"),
    "eMedications.03": ("7806", "317361", *sorted(BLOOD_PRODUCTS)),
}
"""Values of elements whose form is narrower than the value set of the catalogue."""


class RecordGenerator:
    """Generates records from a seed. `share` is the part of the elements without a demand that have content."""

    def __init__(self, seed: int, share: float = 0.7) -> None:
        self._random = random.Random(seed)
        self._share = share
        self._times = count()
        self._names = count(1)

    def changes(self) -> list[FieldChange]:
        """Return the changes of one record, with up to three entries in each repeated group."""
        entries = {group.name: [""] for group in GROUPS if not group.repeated}
        for group in GROUPS:
            if group.repeated:
                parents = [""] if group.parent is None else [f"{each}/" for each in entries[group.parent]]
                entries[group.name] = [
                    f"{parent}e{next(self._names)}" for parent in parents for _ in range(self._random.randint(0, 3))
                ]
        return [
            each for element in ELEMENTS for entry in entries[element.group] for each in self._content(element, entry)
        ]

    def record(self) -> CareRecord:
        return current_record(self.changes())

    def _content(self, element: Element, entry: str) -> Iterator[FieldChange]:
        if element.usage is not Usage.MANDATORY and self._random.random() > self._share:
            return
        draw = self._random.random()
        values = {self.value(element) for _ in range(self._random.randint(1, 3) if element.many else 1)}
        if draw < 0.1 and element.instead:
            yield change(element.key, None, entry=entry or None, negative=self._negative(element.instead))
        elif draw < 0.2 and element.usage.reasons:
            reason = self._random.choice((NotRecorded.NOT_APPLICABLE, NotRecorded.NOT_RECORDED))
            yield change(element.key, None, entry=entry or None, not_recorded=reason)
        else:
            negative = self._negative(element.with_value) if draw < 0.4 and element.with_value else None
            for value in sorted(values):
                yield change(element.key, value, entry=entry or None, negative=negative)

    def _negative(self, permitted: frozenset[Negative]) -> str:
        return self._random.choice(sorted(permitted)).value

    def value(self, element: Element) -> str:
        """Return a value that the catalogue and NEMSIS permit."""
        pick = self._random
        if element.nemsis in _FORMED:
            return pick.choice(_FORMED[element.nemsis])
        listed = schema_elements()[element.nemsis].listed
        match element.values:
            case ListCode() | OneOf() | Letters():
                return pick.choice(sorted(listed) or ["eng"])
            case Text() as text:
                length = pick.randint(text.length_min, min(text.length_max, 40))
                return "".join(["x", *pick.choices(_LETTERS, k=length - 2), "y"])[:length] if length > 1 else "x"
            case Icd10():
                return pick.choice(("I21.9", "R07.89", "A48.8", "S72.001", "Z99"))
            case Digits() as digits:
                return str(pick.randint(1, 9)) + "".join(pick.choices(string.digits, k=max(digits.length_min, 7) - 1))
            case Whole() as whole:
                return pick.choice((*whole.words, *(f"{pick.randint(whole.least, whole.most):02d}" for _ in range(3))))
            case Decimal() as number:
                value = pick.uniform(number.least, min(number.most, 99_999))
                return f"{min(max(value, number.least), number.most):.{number.places}f}"
            case Position():
                return f"{pick.uniform(-89, 89):.6f},{pick.uniform(-179, 179):.4f}"
        if element.values.kind == "date":
            return f"{pick.randint(1900, 2025)}-02-{pick.randint(1, 28):02d}"
        if element.values.kind == "time":
            return self._time()
        return "file_1"  # a reference

    def _time(self) -> str:
        moment = BEGUN + timedelta(seconds=next(self._times) * 7)
        draw = self._random.random()
        if draw < 0.2:
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return (moment + timedelta(microseconds=123_000) if draw < 0.4 else moment).isoformat()
