"""Element of the care record: one row of the catalogue (`catalogue`), and the words that rows are made of."""

from dataclasses import dataclass, field
from enum import StrEnum

from protocols.epcr.value_sets import ValueSet


class Negative(StrEnum):
    """Pertinent negative: the author states why there is no finding, or why an act was not performed."""

    CONTRAINDICATED = "contraindicated"
    DENIED_BY_ORDER = "denied_by_order"
    FINDING_NOT_PRESENT = "finding_not_present"
    ALLERGY = "allergy"
    ALREADY_TAKEN = "already_taken"
    NO_KNOWN_DRUG_ALLERGY = "no_known_drug_allergy"
    NONE_REPORTED = "none_reported"
    NOT_PERFORMED = "not_performed"
    REFUSED = "refused"
    UNRESPONSIVE = "unresponsive"
    UNABLE_TO_COMPLETE = "unable_to_complete"
    NOT_IMMUNISED = "not_immunised"
    CRITERIA_NOT_MET = "criteria_not_met"
    APPROXIMATE = "approximate"
    SYMPTOM_NOT_PRESENT = "symptom_not_present"


NEMSIS_NEGATIVES = {
    Negative.CONTRAINDICATED: "8801001",
    Negative.DENIED_BY_ORDER: "8801003",
    Negative.FINDING_NOT_PRESENT: "8801005",
    Negative.ALLERGY: "8801007",
    Negative.ALREADY_TAKEN: "8801009",
    Negative.NO_KNOWN_DRUG_ALLERGY: "8801013",
    Negative.NONE_REPORTED: "8801015",
    Negative.NOT_PERFORMED: "8801017",
    Negative.REFUSED: "8801019",
    Negative.UNRESPONSIVE: "8801021",
    Negative.UNABLE_TO_COMPLETE: "8801023",
    Negative.NOT_IMMUNISED: "8801025",
    Negative.CRITERIA_NOT_MET: "8801027",
    Negative.APPROXIMATE: "8801029",
    Negative.SYMPTOM_NOT_PRESENT: "8801031",
}
"""Code of each pertinent negative in NEMSIS 3.5 (attribute PN)."""


class NotRecorded(StrEnum):
    """The reason for which an element has neither a value nor a pertinent negative."""

    NOT_APPLICABLE = "not_applicable"
    NOT_RECORDED = "not_recorded"
    NOT_REPORTING = "not_reporting"


NEMSIS_NOT_RECORDED = {
    NotRecorded.NOT_APPLICABLE: "7701001",
    NotRecorded.NOT_RECORDED: "7701003",
    NotRecorded.NOT_REPORTING: "7701005",
}
"""Code of each reason in NEMSIS 3.5 (attribute NV)."""


class Usage(StrEnum):
    """Usage of an element in NEMSIS. It decides which reasons for a missing value are permitted."""

    MANDATORY = "mandatory"
    REQUIRED = "required"
    RECOMMENDED = "recommended"
    OPTIONAL = "optional"

    @property
    def reasons(self) -> frozenset[NotRecorded]:
        """The permitted reasons for a missing value. An agency may not leave out a national element, so only a
        recommended element may be `not_reporting`."""
        return _REASONS[self]


_REASONS = {
    Usage.MANDATORY: frozenset[NotRecorded](),
    Usage.REQUIRED: frozenset((NotRecorded.NOT_APPLICABLE, NotRecorded.NOT_RECORDED)),
    Usage.RECOMMENDED: frozenset(NotRecorded),
    Usage.OPTIONAL: frozenset[NotRecorded](),
}


class Audience(StrEnum):
    """The widest group that may see an element. Each group includes the groups before it.

    A row of the catalogue has STAFF unless it states TREATMENT. PARTNERS follows from the allow-list
    (`catalogue.released`) and from nothing else, so a new element is invisible outside of the organisation until its
    key is listed. Identity, addresses, numbers of persons, staff, free text and exact positions are not.
    """

    STAFF = "staff"
    """The organisation itself and the registry that it reports to."""
    TREATMENT = "treatment"
    """The staff, and the hospital that treats the patient (an identified hand-over)."""
    PARTNERS = "partners"
    """All of these, and partners (the de-identified projection)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Group of elements. An entry of a repeated group (a dose, a set of vitals) has an id, which its author chooses.
    `parent`: each entry belongs to an entry of this group; its id is then the parent's id, a slash, and its own."""

    name: str
    english: str
    polish: str
    repeated: bool = False
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Element:
    """One element of the care record. `key` is the name of its group, a dot, and its own name; keys are never renamed.

    `many`: the element has a set of values. `nemsis`: the element of NEMSIS 3.5. `fhir`: resource and path of FHIR R4,
    or "Observation" with its LOINC code; empty where nothing of the element is exported. `with_value` and `instead`:
    the pertinent negatives that are permitted beside a value, and in place of one.
    """

    key: str
    english: str
    polish: str
    values: ValueSet
    usage: Usage
    nemsis: str
    fhir: str
    many: bool = False
    audience: Audience = Audience.STAFF
    with_value: frozenset[Negative] = field(default=frozenset())
    instead: frozenset[Negative] = field(default=frozenset())

    @property
    def group(self) -> str:
        """Name of the element's group."""
        return self.key.partition(".")[0]

    @property
    def cardinality(self) -> str:
        """Number of values in one entry of the group, as in FHIR: 0..1, 1..1, 0..* or 1..*."""
        least = 1 if self.usage in (Usage.MANDATORY, Usage.REQUIRED) else 0
        return f"{least}..{'*' if self.many else 1}"
