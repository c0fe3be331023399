"""Check digit of SNOMED CT identifiers. It distinguishes a concept from another number of the same length, such as a
national identity number or a phone number, that was entered into a coded field."""

CONCEPT_LENGTH_LEAST = 6
CONCEPT_LENGTH_MAX = 18
_CONCEPT_PARTITIONS = ("00", "10")
"""Digits before the check digit of a concept: of the international release, and of an extension."""
_DIGITS = frozenset("0123456789")


def is_concept_id(text: str) -> bool:
    """Return whether `text` is a well-formed identifier of a SNOMED CT concept."""
    return (
        CONCEPT_LENGTH_LEAST <= len(text) <= CONCEPT_LENGTH_MAX
        and _DIGITS.issuperset(text)
        and text[-3:-1] in _CONCEPT_PARTITIONS
        and _verhoeff(text) == 0
    )


def _verhoeff(digits: str) -> int:
    """Return the Verhoeff check sum, which is 0 for digits with a correct check digit at their end."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _product(check, _permuted(int(digit), place))
    return check


def _product(first: int, second: int) -> int:
    """Multiply in the dihedral group of the pentagon: 0 to 4 are rotations, 5 to 9 reflections."""
    if first < 5:
        return (first + second) % 5 if second < 5 else 5 + (first + second) % 5
    return 5 + (first - second) % 5 if second < 5 else (first - second) % 5


def _permuted(digit: int, place: int) -> int:
    for _ in range(place % 8):
        digit = _PERMUTATION[digit]
    return digit


_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
