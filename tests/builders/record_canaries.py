"""Care records in which every element has the identity of a synthetic person, as a crew may type it by mistake.

The texts have the form that the most value sets permit: the birth date is a day and a point in time, and the numbers
are digits only, as codes are.
"""

from collections.abc import Iterator

from protocols.epcr.catalogue import ELEMENTS, find_group
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.element import Element
from tests.builders.care_changes import change
from tests.builders.contract_canaries import CANARIES

IDENTITY: dict[str, tuple[str, ...]] = {
    "name": (CANARIES["name"],),
    "next_of_kin": (CANARIES["next_of_kin"],),
    "birth_date": ("1931-02-27", "1931-02-27T08:07:06+01:00", "19310227"),
    "national_id": ("31022799995",),
    "phone": ("600000137", "+48 600 000 137"),
    "e_mail": (CANARIES["e_mail"],),
    "street": (CANARIES["street"],),
    "place": ("52.000137,21.000137",),
    "narrative": (CANARIES["narrative"],),
    "identifier": ("Kanarkowa_Zofianka",),
}
"""Texts about one person. The last one has the form of an identifier, such as the id of an entry."""


def identity_found(text: str) -> list[str]:
    """Return the texts of `IDENTITY` that a text contains, plainly or as JSON escapes them."""
    forms = {one for texts in IDENTITY.values() for one in texts}
    forms |= {one.encode("unicode_escape").decode() for one in forms}
    return sorted(one for one in forms if one in text)


def records_with_identity(encounter: str) -> Iterator[FieldChange]:
    """Yield changes that put every text into every element of an encounter, as a value, as a pertinent negative, as a
    reason and as the id of an entry, and valid values beside them."""
    texts = [one for texts in IDENTITY.values() for one in texts]
    for number, text in enumerate(texts):
        for element in ELEMENTS:
            author = f"usr_{number}"
            yield change(element.key, text, entry=_entry(element, "e1"), author=author, encounter=encounter)
            entry = _entry(element, text)
            if entry is not None:
                yield change(element.key, _valid(element) or text, entry=entry, author=text, encounter=encounter)
        yield change("vitals.pain", None, negative=text, entry=f"n{number}", encounter=encounter)
        yield change("vitals.pain", None, not_recorded=text, entry=f"r{number}", encounter=encounter)
        yield change("medications", text, entry="e1", action=Action.VOID, encounter=encounter)
        yield change(f"robot.{number}", text, encounter=encounter)
    for element in ELEMENTS:
        if (valid := _valid(element)) is not None:
            yield change(element.key, valid, entry=_entry(element, "e2"), author="usr_valid", encounter=encounter)


def _entry(element: Element, name: str) -> str | None:
    group = find_group(element.group)
    assert group is not None
    if not group.repeated:
        return None
    return name if group.parent is None else f"{name}/{name}"


def _valid(element: Element) -> str | None:
    """Return a permitted value that discloses nothing, or None for a text."""
    values = element.values
    candidates = ("5", "22298006", "I21.9", "Y92.0", "V01.0", "Z88.0", "01", "F", f"{getattr(values, 'number', '')}001")
    return next(
        (one for one in candidates if values.kind in ("code", "whole", "decimal") and values.permits(one)), None
    )
