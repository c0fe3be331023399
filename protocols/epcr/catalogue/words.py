"""Short names for the rows of the catalogue."""

from protocols.epcr.element import Audience, Negative, Usage
from protocols.epcr.value_sets import Digits, EitherOf, Icd10, ListCode, Moment, OneOf

M, R, E, O = Usage.MANDATORY, Usage.REQUIRED, Usage.RECOMMENDED, Usage.OPTIONAL  # noqa: E741  the letters of NEMSIS
STAFF, TREATMENT = Audience.STAFF, Audience.TREATMENT

TIME = Moment()
YES_NO = ListCode("9923")
RHYTHM = ListCode("9901")
ROUTE = ListCode("9927")
ROLE = ListCode("9905")
RESPONSE = ListCode("9916")
PLACE_OF_PATIENT = ListCode("9909")
SNOMED = Digits("SNOMED CT", 6, 18)
RXNORM = Digits("RxNorm or SNOMED CT", 2, 9)
ICD10 = Icd10()
ALLERGEN = EitherOf(RXNORM, Icd10("Z"))
CAUSE = Icd10("TVWXY")
PLACE = Icd10("Y")


def scale(most: int, least: int = 1) -> OneOf:
    """Return the codes "least" to "most" of a score."""
    return OneOf(tuple(str(number) for number in range(least, most + 1)))


UNABLE = frozenset((Negative.UNABLE_TO_COMPLETE,))
REFUSED = frozenset((Negative.REFUSED,))
DECLINED = UNABLE | REFUSED
"""The patient refused, or the crew could not do it."""
UNANSWERED = DECLINED | {Negative.UNRESPONSIVE}
MEASURED = DECLINED | {Negative.FINDING_NOT_PRESENT}
"""Nothing was found where a value is expected, such as no pulse."""
ABSENT = frozenset((Negative.FINDING_NOT_PRESENT,))
APPROXIMATE = frozenset((Negative.APPROXIMATE,))
NONE_REPORTED = frozenset((Negative.NONE_REPORTED,))
NOT_DONE = frozenset(
    (
        Negative.CONTRAINDICATED,
        Negative.DENIED_BY_ORDER,
        Negative.REFUSED,
        Negative.UNABLE_TO_COMPLETE,
        Negative.CRITERIA_NOT_MET,
    )
)
"""A procedure was considered and not performed."""
NOT_GIVEN = NOT_DONE | {Negative.ALLERGY, Negative.ALREADY_TAKEN}
"""A drug was considered and not given."""
