"""Annotations: changes in the log that state something about the record itself, and nothing about the patient.

They are in the same log as all other changes, because the log is what vehicle and cloud share, and what a seal covers.
They are no elements of the catalogue: no report has a place for them, and no partner sees them. Authors write addenda
and decisions; the gateway writes the sources of accepted measurements, the decisions about the devices, the seals, the
versions and joins of missions, and on behalf of a crew member the share links and expected arrivals.
"""

from enum import StrEnum

from protocols.epcr.change import Action, FieldChange
from protocols.uplink.topics import is_identifier

ADDENDUM_LENGTH_MAX = 255
"""Longest reason of an addendum: a sentence."""
STATEMENTS_MAX = 16
"""Most statements that one decision lets stand: more than the authors of a vehicle and of its relief together."""


class Annotation(StrEnum):
    """Key of an annotation."""

    ADDENDUM = "record.addendum"
    """The value is the reason of an addendum, the entry its id. The changes of the same author that follow it, up to
    the next addendum, belong to it."""
    BOTH_STAND = "record.both_stand"
    """Decision that contradicting statements stand side by side. The value has the ids of these changes with spaces
    between; the entry is the id of the decision."""
    DISMISSED = "record.dismissed"
    """Decision about a proposal of the devices, whose id is the entry: the value is one of `DISMISSALS`. The latest one
    counts, so that a dismissal can be undone."""
    SIGNATURE = "record.signature"
    """Drawn signature, whose entry is that of the signature in the record: the lines of the pen in a field of 600
    by 200 points, as an SVG path of absolute M and L commands."""
    SOURCE = "record.source"
    """The measurement that an accepted value was taken from (`protocols.epcr.proposal`). The entry is the id of the
    change with the value."""
    DEVICES = "record.devices"
    """Decision about which report the devices measure for (`protocols.epcr.device_holding`). The entry is the id of
    the decision."""
    ARRIVAL = "record.expected_arrival"
    """The time at which the crew expects to arrive at the hospital, in UTC. The entry is the id of this statement, so
    that two estimates are never in conflict: the last one of the log counts (`protocols.epcr.handover.arrival`)."""
    SHARE = "record.share"
    """A share link of the hand-over: the entry is its id, the value the hash of its token (`protocols.epcr.sharing`).
    Removed: the link is revoked."""
    SEAL = "record.seal"
    """Seal over all earlier changes of the log (`protocols.epcr.seal`)."""
    MISSION = "record.mission"
    """Version of the mission that the log has: a number, a space and the status (`protocols.epcr.mission`)."""
    JOINED = "record.joined"
    """In the log of a mission: the encounter of the crew's report that continues it."""
    PART_OF = "record.part_of"
    """In the log of a crew's report: the encounter of the mission that it belongs to."""


ANNOTATIONS = frozenset(Annotation)
_OF_AUTHORS = frozenset((Annotation.ADDENDUM, Annotation.BOTH_STAND, Annotation.DISMISSED, Annotation.SIGNATURE))
SIGNATURE_LENGTH_MAX = 4_000
"""Longest path: some hundred points, which a slow signature has."""
_DIGITS = frozenset("0123456789")
DISMISSALS = ("dismissed", "offered")
"""Values of a decision about a proposal: it is not offered any more, or offered again."""


def annotation_rule(change: FieldChange) -> str | None:
    """Return the rule that an author's annotation breaks, as a sentence, or None."""
    if change.key not in _OF_AUTHORS:
        return "The gateway writes this key; a client cannot."
    if change.action is not Action.SET or change.negative is not None or change.not_recorded is not None:
        return f"{change.key} is only set, and has a value and nothing else."
    if change.entry is None or not is_identifier(change.entry):
        return f"{change.key} needs an entry: an id of 1 to 64 letters, digits, hyphens or underscores."
    value = change.value or ""
    if change.key == Annotation.ADDENDUM:
        if not 1 <= len(value.strip()) <= len(value) <= ADDENDUM_LENGTH_MAX:
            return f"{change.key} is the reason of the addendum, a text of 1 to {ADDENDUM_LENGTH_MAX} characters."
        return None
    if change.key == Annotation.DISMISSED:
        return None if value in DISMISSALS else f"{change.key} is one of: {', '.join(DISMISSALS)}."
    if change.key == Annotation.SIGNATURE:
        if is_drawn_path(value):
            return None
        return f"{change.key} is a path of M and L commands of at most {SIGNATURE_LENGTH_MAX} characters."
    ids = value.split(" ")
    if not 2 <= len(ids) == len(set(ids)) <= STATEMENTS_MAX or not all(map(is_identifier, ids)):
        return f"{change.key} has the ids of 2 to {STATEMENTS_MAX} different changes, with one space between."
    return None


def is_drawn_path(value: str) -> bool:
    """Return whether a text is the value of a drawn signature: a path of strokes, each with two points or more: M, then
    L between points."""
    if len(value) > SIGNATURE_LENGTH_MAX:
        return False
    before, *strokes = value.split("M")
    points = [stroke.split("L") for stroke in strokes]
    return not before and bool(points) and all(len(each) > 1 and all(map(_is_point, each)) for each in points)


def _is_point(text: str) -> bool:
    x, _, y = text.partition(" ")
    return 1 <= len(x) <= 3 and 1 <= len(y) <= 3 and _DIGITS.issuperset(x + y)
