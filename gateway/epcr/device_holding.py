"""Decide which report of this vehicle holds the devices, from the decisions in the logs (`protocols.epcr`).

A report is opened after the devices were switched on: at the patient, on the way from the vehicle. So a report that
takes free devices also takes what they measured in the ten minutes before, except what belongs to the report that held
them until then.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.buffer import Buffer
from gateway.epcr.draft_log import Draft
from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.device_holding import (
    DeviceDecision,
    DevicePlace,
    Span,
    decision_value,
    holder_of,
    read_decision,
    spans_of,
)
from protocols.epcr.entries import Entries

BEFORE_US = 600_000_000
AFTER_TRANSFER_US = 300_000_000
"""Time after the transfer of care in which values are still the patient's: the monitor is disconnected last."""
CALL_US_MAX = 24 * 3_600_000_000
"""Longest call: a report that was opened before and has no end is forgotten, and holds nothing."""
DECISIONS_MAX = 1_024
"""Decisions in memory: the latest of the drafts in memory, and of those that were dropped from it."""


class DeviceHolding:
    """The decisions about the devices of one vehicle. `find` returns the draft of an encounter that is in memory."""

    def __init__(self, buffer: Buffer, clock: Clock, find: Callable[[str], Draft | None]) -> None:
        self._buffer = buffer
        self._clock = clock
        self._find = find
        self._decisions: BoundedMap[str, DeviceDecision] = BoundedMap(DECISIONS_MAX)

    def take(self, change: FieldChange) -> None:
        """Add the decision of a stored change. Changes are added in the order of the store."""
        decision = read_decision(change)
        if decision is not None and change.id not in self._decisions:
            self._decisions[change.id] = decision

    @property
    def holder(self) -> Draft | None:
        """The draft that holds the devices now; None where none does, or where its call has ended."""
        encounter = holder_of(self._decisions.values())
        draft = None if encounter is None else self._find(encounter)
        return None if draft is None or draft.sealed or self._is_over(draft) else draft

    def has_decided(self, encounter: str) -> bool:
        """Return whether the log of an encounter states anything about the devices."""
        return any(each.encounter == encounter for each in self._decisions.values())

    def spans(self, encounter: str, epoch: str) -> Sequence[Span]:
        """Return the batches of numerics that belong to a report, in the store `epoch`. Decisions that were made in
        another store count from the beginning of this one."""
        at = lambda each: each.place.numeric if each.place.epoch == epoch else 0  # noqa: E731
        return spans_of(self._decisions.values(), at).get(encounter, ())

    def undecided(self, first: int, epoch: str) -> Sequence[Span]:
        """Return the batches of a report whose log decides nothing: after `first`, until the next decision."""
        places = [each.place.numeric for each in self._decisions.values() if each.place.epoch == epoch]
        return (Span(first, min((each for each in places if each > first), default=None)),)

    async def opening(self, encounter: str, author: str) -> FieldChange:
        """Return the decision of a report that is opened now: it holds the devices if no other report does."""
        holder = self.holder
        if holder is not None:
            return self._change(encounter, author, holds=False, place=await self._place())
        held = holder_of(self._decisions.values())
        before = None if held is None else self._find(held)
        until_us = None if before is None or before.sealed else end_us(before)
        place = await self._place(before_us=BEFORE_US, not_before_us=until_us)
        decided = [each.place.numeric for each in self._decisions.values() if each.place.epoch == place.epoch]
        first = max([place.numeric, *decided[-1:]])
        return self._change(encounter, author, holds=True, place=replace(place, numeric=first))

    async def move(self, encounter: str, author: str, *, since_opening: bool) -> FieldChange:
        """Return the decision by which the devices measure for a report from now on, or since it was opened."""
        place = await self._place()
        own = [each for each in self._decisions.values() if each.encounter == encounter]
        if since_opening and own:
            place = own[0].place
        return self._change(encounter, author, holds=True, place=place)

    async def release(self, draft: Draft, author: str) -> list[FieldChange]:
        """Return the decision by which a report that is signed gives the devices back; none where it has none."""
        if holder_of(self._decisions.values()) != draft.encounter:
            return []
        return [self._change(draft.encounter, author, holds=False, place=await self._place())]

    def _is_over(self, draft: Draft) -> bool:
        now_us = self._clock.wall_us()
        transferred_us = Entries(draft.record).time_us("times.transfer_of_care")
        if transferred_us is not None and transferred_us + AFTER_TRANSFER_US < now_us:
            return True
        last = next(each for each in reversed(self._decisions.values()) if each.encounter == draft.encounter)
        if last.place.boot_id == self._clock.boot_id:  # the wall clock may have been set by years since then
            return self._clock.monotonic_s() * 1_000_000 - last.place.monotonic_us > CALL_US_MAX
        return now_us - last.decided_us > CALL_US_MAX

    async def _place(self, *, before_us: int = 0, not_before_us: int | None = None) -> DevicePlace:
        epoch, numeric = await self._buffer.numeric_before(before_us, not_before_us)
        return DevicePlace(
            epoch=epoch,
            numeric=numeric,
            boot_id=self._clock.boot_id,
            monotonic_us=round(self._clock.monotonic_s() * 1_000_000),
        )

    def _change(self, encounter: str, author: str, *, holds: bool, place: DevicePlace) -> FieldChange:
        change_id = f"devices-{secrets.token_hex(12)}"
        return FieldChange(
            id=change_id,
            encounter=encounter,
            key=Annotation.DEVICES,
            author=author,
            gateway_time_us=self._clock.wall_us(),
            entry=change_id,
            value=decision_value(holds=holds, place=place),
        )


def end_us(draft: Draft) -> int:
    """Return the time until which the values are those of a report that holds the devices: five minutes after the
    transfer of care."""
    ends_us = [draft.changes[0].gateway_time_us + CALL_US_MAX]
    transferred_us = Entries(draft.record).time_us("times.transfer_of_care")
    if transferred_us is not None:
        ends_us.append(transferred_us + AFTER_TRANSFER_US)
    return min(ends_us)
