"""Projection of a care record: the part of it that may leave the organisation. A record is never shown in another way.

    record = current_record(in_order(logs))                       # protocols.epcr.record
    visible = partner_record(record, key=key, encounter="enc_1", mission_us=created_at_us)
    for field in visible.fields:                                  # in the order of the catalogue
        field.element, field.entry, field.void                    # row of the catalogue, entry of a repeated group
        field.shown, field.contradicting                          # statements: value, negative, not_recorded
    visible.patient                                               # pseudonym of the patient

`partner_record` de-identifies (contract A-097, A-098). `treatment_record` is the identified hand-over to the hospital
that treats the patient, for which the caller needs the tenant's entitlement and an audit entry. Both return the same
class, so one code makes both bundles. In the cloud, `cloud.clinical.epcr.VisibleRecords` calls them with the log of an
encounter.

Rules of both:
- Only elements that the catalogue opens to the audience are visible. Elements of a newer vehicle are not.
- A statement is visible only if its content is in the value set of the element, since the cloud stores whatever a
  vehicle sent. `withheld` counts the others.
- Authors, ids of changes, reasons of void entries, and the times of tablets are not visible. The ids of entries, which
  their authors chose, are replaced by pseudonyms: the same for the same entry, in both records.
- A void entry keeps its fields, marked `void`, so that a receiver of an earlier version can correct it.

Further rules of `partner_record`:
- No free text, date of birth, or reference to a file, even if its element were listed.
- Ages of 90 and more are 90, with `or_more` ("90 or over", FHIR comparator ">="). Ages in days, hours and minutes are
  whole months, since with the time of the mission they would give the date of birth.
- Times are visible within 31 days of the mission: an older one, such as the onset of a congenital disease, may be a
  date of birth. Codes of more than seven digits need the check digit of SNOMED CT: others may be numbers of persons.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from protocols.epcr.annotations import Annotation, is_drawn_path
from protocols.epcr.catalogue import find_element
from protocols.epcr.change import FieldChange
from protocols.epcr.concept_ids import is_concept_id
from protocols.epcr.element import Audience, Element, Negative, NotRecorded
from protocols.epcr.pseudonyms import patient_pseudonym, pseudonym
from protocols.epcr.record import CareRecord, Field, FieldName
from protocols.epcr.value_sets import TEXT_LENGTH_MAX

AGE_YEARS_MAX = 90
"""Highest age that leaves (contract A-097): so few people are older that an age identifies them."""
AGE, AGE_UNIT = "patient.age", "patient.age_unit"
DAYS, HOURS, MINUTES, MONTHS, YEARS = "2516001", "2516003", "2516005", "2516007", "2516009"
"""Codes of `patient.age_unit`."""
MISSION_DAYS_MAX = 31
"""Days between the mission and a time that leaves. Symptoms that began earlier are dated by their duration."""
UNCHECKED_DIGITS_MAX = 7
"""Digits of a code without a check digit: the codes of RxNorm and of the lists of NEMSIS have no more."""
DRAWN_MAX = 12
"""Drawn signatures of one record: three times those of a long call, and 48 kB."""
_CLOSED_KINDS = frozenset(("code", "whole", "decimal", "time"))
"""Kinds of value that may leave to a partner."""
_DAYS_PER_MONTH = 30.4375
_DAYS_PER_UNIT = {DAYS: 1.0, HOURS: 1 / 24, MINUTES: 1 / 1440}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class VisibleStatement:
    """Content of one statement: a value, a pertinent negative (or both), or the reason why there is none.

    `value` is in the value set of the element, and `or_more` states that it is the least one that may be true.
    `recorded_us` is the wall clock of the gateway that stored it, in µs since 1970; it may be wrong.
    """

    value: str | None
    negative: Negative | None
    not_recorded: NotRecorded | None
    recorded_us: int
    or_more: bool = False

    @property
    def content(self) -> tuple[str | None, Negative | None, NotRecorded | None, bool]:
        """All of the statement except when it was recorded."""
        return self.value, self.negative, self.not_recorded, self.or_more


@dataclass(frozen=True, slots=True)
class VisibleField:
    """Content of one field: `shown` has one statement, or one for each value of an element with many. `contradicting`
    are the statements of other authors that stand and differ. `entry` is a pseudonym, empty in groups without entries;
    in a child group it is the pseudonym of the parent entry, a slash, and its own. `void`: the entry is declared wrong.
    """

    element: Element
    entry: str
    shown: tuple[VisibleStatement, ...]
    contradicting: tuple[VisibleStatement, ...]
    void: bool


@dataclass(frozen=True, slots=True)
class VisibleRecord:
    """The part of a record that `audience` may see, in the order of the catalogue.

    `patient` is the pseudonym of the patient within the tenant, also in an identified record. `withheld` counts the
    statements about visible elements whose content may not leave. `drawn` has the lines of drawn signatures by entry
    (`Annotation.SIGNATURE`), the newest `DRAWN_MAX`; empty in a record for partners.
    """

    audience: Audience
    patient: str
    fields: tuple[VisibleField, ...]
    withheld: int
    drawn: Mapping[str, str] = field(default_factory=dict, repr=False)


def partner_record(record: CareRecord, *, key: bytes, encounter: str, mission_us: int) -> VisibleRecord:
    """Return the de-identified record of an encounter.

    `key` is the secret key of the tenant for pseudonyms. `mission_us` is the time at which the encounter was created,
    by the clock of the caller, in µs since 1970.
    """
    projection = _PartnerProjection(key, encounter, _age_unit(record), mission_us)
    return projection.project(record)


def treatment_record(record: CareRecord, *, key: bytes, encounter: str) -> VisibleRecord:
    """Return the identified record of an encounter, for the hospital that treats the patient. It has names, addresses
    and free texts. The caller must have checked the entitlement of the tenant, and audits the reading."""
    return _Projection(key, encounter, Audience.TREATMENT).project(record)


class _Projection:
    """Projection of one record for one audience."""

    def __init__(self, key: bytes, encounter: str, audience: Audience) -> None:
        self._key = key
        self._encounter = encounter
        self._audience = audience
        self._withheld = 0

    def project(self, record: CareRecord) -> VisibleRecord:
        fields = tuple(found for each in record.fields if (found := self._field(each, record)) is not None)
        patient = patient_pseudonym(self._key, record, self._encounter)
        return VisibleRecord(self._audience, patient, fields, self._withheld, self._drawn(record))

    def _drawn(self, record: CareRecord) -> Mapping[str, str]:
        """Return the drawn signatures by the pseudonyms of their entries, oldest first. The cloud stores whatever a
        vehicle sent, so each is checked."""
        if self._audience is not Audience.TREATMENT:
            return {}
        found = [
            (each.shown[-1].gateway_time_us, each.name.entry, each.shown[-1].value or "")
            for each in record.fields
            if each.name.key == Annotation.SIGNATURE
        ]
        drawn = [(entry, path) for _, entry, path in sorted(found) if is_drawn_path(path)]
        return {pseudonym(self._key, "entry", self._encounter, entry): path for entry, path in drawn[-DRAWN_MAX:]}

    def _field(self, field: Field, record: CareRecord) -> VisibleField | None:
        element = find_element(field.name.key)
        if element is None or not self._is_open(element):
            return None
        shown = self._statements(field.shown, element)
        contradicting = self._statements(field.contradicting, element)
        if not shown:  # a statement that differs from a withheld one is all that can be shown
            shown, contradicting = contradicting[:1], contradicting[1:]
        if not shown:
            return None
        contents = {statement.content for statement in shown}  # two ages may be equal after the projection
        contradicting = tuple(each for each in contradicting if each.content not in contents)
        void = record.declared_void(field.name) is not None
        return VisibleField(element, self._entry(element, field.name), shown, contradicting, void)

    def _is_open(self, element: Element) -> bool:
        return element.audience in (Audience.TREATMENT, Audience.PARTNERS)

    def _statements(self, changes: Iterable[FieldChange], element: Element) -> tuple[VisibleStatement, ...]:
        found = []
        for change in changes:
            if (statement := self._statement(change, element)) is not None:
                found.append(statement)
            elif change.content != (None, None, None):  # the withdrawal of a value has no content, and nothing to show
                self._withheld += 1
        return tuple({statement.content: statement for statement in found}.values())

    def _statement(self, change: FieldChange, element: Element) -> VisibleStatement | None:
        """Return the visible content of a change, or None."""
        value = change.value
        if value is not None and not (len(value) <= TEXT_LENGTH_MAX and element.values.permits(value)):
            return None
        try:
            negative = None if change.negative is None else Negative(change.negative)
            reason = None if change.not_recorded is None else NotRecorded(change.not_recorded)
        except ValueError:
            return None
        if value is None and negative is None and reason is None:
            return None
        return VisibleStatement(value, negative, reason, change.gateway_time_us)

    def _entry(self, element: Element, name: FieldName) -> str:
        if not name.entry:
            return ""
        parent, slash, _ = name.entry.partition("/")
        own = pseudonym(self._key, "entry", self._encounter, name.entry)
        return own if not slash else f"{pseudonym(self._key, 'entry', self._encounter, parent)}/{own}"


class _PartnerProjection(_Projection):
    """Projection that de-identifies."""

    def __init__(self, key: bytes, encounter: str, age_unit: str, mission_us: int) -> None:
        super().__init__(key, encounter, Audience.PARTNERS)
        self._age_unit = age_unit
        self._mission = _EPOCH + timedelta(microseconds=mission_us)

    def _is_open(self, element: Element) -> bool:
        return element.audience is Audience.PARTNERS and element.values.kind in _CLOSED_KINDS

    def _statement(self, change: FieldChange, element: Element) -> VisibleStatement | None:
        statement = super()._statement(change, element)
        if statement is None or statement.value is None:
            return statement
        if element.key == AGE:
            return self._coarse_age(statement, int(statement.value))
        if element.key == AGE_UNIT:
            return replace(statement, value=MONTHS) if statement.value in _DAYS_PER_UNIT else statement
        value: str | None = statement.value
        match element.values.kind:
            case "time":
                value = self._near_time(statement.value)
            case "code":
                value = statement.value if _may_be_code(statement.value) else None
        return None if value is None else replace(statement, value=value)

    def _coarse_age(self, statement: VisibleStatement, number: int) -> VisibleStatement:
        if (days := _DAYS_PER_UNIT.get(self._age_unit)) is not None:
            return replace(statement, value=str(int(number * days / _DAYS_PER_MONTH)))
        if self._age_unit != MONTHS and number >= AGE_YEARS_MAX:
            return replace(statement, value=str(AGE_YEARS_MAX), or_more=True)
        return replace(statement, value=str(number))

    def _near_time(self, value: str) -> str | None:
        """Return a time near the mission, in milliseconds, or None."""
        moment = datetime.fromisoformat(value)
        if abs(moment - self._mission) > timedelta(days=MISSION_DAYS_MAX):
            return None
        offset = moment.utcoffset()
        if offset is None or offset % timedelta(minutes=1):  # an offset with seconds has no form in RFC 3339
            moment = moment.astimezone(UTC)
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def _age_unit(record: CareRecord) -> str:
    """Return the unit of the age. Years where it is missing, contradictory or unknown, so that a high age is hidden."""
    statements = [
        change.value
        for field in record.fields
        if field.name.key == AGE_UNIT
        for change in (*field.shown, *field.contradicting)
    ]
    return statements[0] if len(set(statements)) == 1 and statements[0] is not None else YEARS


def _may_be_code(value: str) -> bool:
    """Return False for a long number that is not a code, and so may be the number of a person."""
    return not value.isdecimal() or len(value) <= UNCHECKED_DIGITS_MAX or is_concept_id(value)
