"""Suggestions for a report from the vehicle's other reports: where it drives, and at which level its crew works.

Only what follows from the vehicle and its crew is suggested, never what describes another patient. A destination is
suggested where the patient of that report was transported, so that no home of a patient becomes a suggestion. Only the
drafts in memory are read: those of the last days.
"""

from collections.abc import Iterable

from gateway.epcr.draft_log import Draft
from protocols.epcr.entries import Entries
from protocols.epcr.gaps import TRANSPORTED

SUGGESTIONS_MAX = 4
"""Suggestions of one element: the hospitals of a town, as one row of buttons."""
_TRANSPORT = "disposition.transport"
_KEYS = ("disposition.destination", "disposition.level_of_care")


def suggestions(draft: Draft, drafts: Iterable[Draft]) -> dict[str, list[str]]:
    """Return the suggested values by element, those of the report that was changed last first. `drafts` are in this
    order; `draft` itself is left out."""
    found: dict[str, dict[str, None]] = {key: {} for key in _KEYS}
    for each in drafts:
        if each is draft:
            continue
        stated = Entries(each.record)
        if stated.value(_TRANSPORT) not in TRANSPORTED:
            continue
        for key in _KEYS:
            if (value := stated.value(key)) is not None and len(found[key]) < SUGGESTIONS_MAX:
                found[key].setdefault(value)
    return {key: list(values) for key, values in found.items() if values}
