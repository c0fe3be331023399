"""Merge of two tablets: whatever the order of arrival and however often a request is sent, nothing is lost.

Two tablets edit the same fields, each with an author of its own, and each sees the other's changes only after it was
connected. Their queues then arrive at the gateway in any order that keeps the order of each queue, and in which no
author replaces what was not stored yet.
"""

import os
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.epcr.change import Action, FieldChange
from protocols.epcr.record import CareRecord, current_record
from tests.builders.care_changes import ANNA, JAN, change

FIELDS = (("patient.age", None), ("vitals.spo2", "v1"), ("history.conditions", None))
VALUES = (("50", "51", "52"), ("96", "97", "98"), ("I10", "E11", "J45"))
EDITS = len(FIELDS) * 3 * 2


@dataclass
class Tablet:
    """One tablet: the changes it has seen, and its own queue."""

    author: str
    seen: list[FieldChange] = field(default_factory=list)
    queue: list[FieldChange] = field(default_factory=list)

    def edit(self, number: int) -> None:
        """Set or remove a value of a field. The change replaces every statement of the field that the tablet shows."""
        place, value, removes = number % 3, number // 3 % 3, number // 9 % 2
        key, entry = FIELDS[place]
        record = current_record([*self.seen, *self.queue])
        shown = [each for each in record.fields if each.name == (key, entry or "")]
        many = key == "history.conditions"
        text = VALUES[place][value]
        replaced = {
            each.id: None
            for found in shown
            for each in (*found.shown, *found.contradicting)
            if not many or each.value == text
        }
        if removes and not replaced:
            return  # the page offers no removal of what it does not show
        self.queue.append(
            change(
                key,
                text if not removes or many else None,
                id=f"{self.author}-{len(self.queue)}",
                entry=entry,
                author=self.author,
                action=Action.REMOVE if removes else Action.SET,
                replaces=tuple(replaced)[:8],
            )
        )


def queues(edits: list[int]) -> tuple[list[FieldChange], list[FieldChange]]:
    """Return the queues of two tablets after a sequence of edits; the last edits of each step connect a tablet."""
    anna, jan = Tablet(ANNA), Tablet(JAN)
    for number in edits:
        tablet, other = (anna, jan) if number % 2 else (jan, anna)
        step = number // 2
        if step < EDITS:
            tablet.edit(step)
        else:
            tablet.seen = list(other.queue)
    return anna.queue, jan.queue


def stored(anna: list[FieldChange], jan: list[FieldChange], order: list[bool]) -> list[FieldChange]:
    """Return the log of the gateway: at each step the next change of Anna's queue (True) or of Jan's, unless it
    replaces a change that is not stored yet, which its author cannot have seen."""
    queues = {True: list(anna), False: list(jan)}
    log: list[FieldChange] = []
    wishes = iter(order)
    while queues[True] or queues[False]:
        wish = next(wishes, True)
        known = {each.id for each in log}
        ready = [
            which
            for which in (wish, not wish)
            if queues[which]
            and all(each in known or each.startswith(queues[which][0].author) for each in queues[which][0].replaces)
        ]
        log.append(queues[ready[0]].pop(0))
    return log


def standing(record: CareRecord) -> set[tuple[str, str | None]]:
    """Return the key and the value of each statement that stands. Equal statements of two authors are one."""
    return {
        (each.key, each.value)
        for found in record.fields
        for each in (*found.shown, *found.contradicting)
        if each.action is Action.SET
    }


SCHEDULES = 10_000 if os.environ.get("ARGUS_SOAK") == "1" else 500


@settings(max_examples=SCHEDULES)
@given(
    edits=st.lists(st.integers(0, 2 * (EDITS + 4)), max_size=8),
    order=st.integers(0, 2**16 - 1),
    again=st.integers(0, 2**16 - 1),
)
def test_merge_is_commutative_idempotent_and_loses_no_statement(edits: list[int], order: int, again: int):
    anna, jan = queues(edits)
    log = stored(anna, jan, bits(order))
    record = current_record(log)
    stands = standing(record)
    assert stands == standing(current_record(stored(anna, jan, [True] * len(log))))
    assert stands == standing(current_record(stored(anna, jan, [False] * len(log))))
    sent_again = [one for one, repeats in zip(log, bits(again), strict=False) if repeats]
    repeated = current_record([*log, *sent_again])
    assert (repeated.fields, repeated.repeated) == (record.fields, len(sent_again))
    replaced = {each for one in log for each in one.replaces}
    for one in log:
        if one.action is Action.SET and (one.key, one.value) not in stands and one.id not in replaced:
            own = anna if one.author == ANNA else jan
            assert any(later.key == one.key for later in own[own.index(one) + 1 :]), "only its author replaced it"


def bits(number: int) -> list[bool]:
    return [bool(number >> place & 1) for place in range(16)]
