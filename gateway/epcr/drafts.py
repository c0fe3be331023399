"""Report drafts of this vehicle: the field changes of the store, by encounter, followed while the gateway runs.

The store's log is the only truth: every draft is read from it, at start as after each commit, by the same function. So
it does not matter whether a change came from a tablet or from the control socket, and a draft opens after a power cut
as it was at the last acknowledgement.

Changes are appended one request at a time, because a seal must cover exactly what was stored before it. A request is
confirmed when its changes are on the disk.

The store drops its oldest batches. A log that lacks a part is shown as closed: it is neither changed nor sealed
(`gateway.buffer.care_logs`). A store that replaces a failed one gets the logs of the drafts in memory first, so that
both a restart and the cloud find each of them whole in it.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import structlog

from gateway.buffer import Buffer, BufferClosed, StoreFull
from gateway.buffer.care_changes import StoredChanges
from gateway.epcr.device_holding import DeviceHolding
from gateway.epcr.draft_log import DRAFT_CHANGES_MAX, Draft
from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.epcr.change import FieldChange
from protocols.epcr.check import Fault
from protocols.epcr.draft import SEALED, Conflict, fault_after_seal, open_conflicts, opening
from protocols.epcr.seal import chain_start
from protocols.observation_record import utc_text
from protocols.uplink.epcr import change_pages
from protocols.uplink.lanes import Lane

log = structlog.get_logger()

DRAFTS_MAX = 64
"""Drafts in memory: the missions of several days. Beyond it the signed one that was changed longest ago is dropped from
the list, then the longest unchanged; the store and the cloud keep both."""
DROPPED_MAX = 4_096
"""Dropped drafts whose ids are remembered; the store keeps fewer."""
_SIGNER, _SIGNED = "4512003", "4515031"
"""NEMSIS: the crew member with the primary responsibility; signed."""
SIGNER_LENGTH_MAX = 60
"""Longest name of a signer that the element permits."""
INCOMPLETE = Fault(
    "log_incomplete",
    "This vehicle has only a part of this report, because the report was begun long ago or its store was damaged. "
    "So it can be neither changed nor signed here. Use the report in the cloud, and begin a new one here.",
)


class ChangesRefused(Exception):
    """A rule of the draft refuses a request; nothing of it was stored. `fault` has the rule."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault.text)


class ConflictsOpen(ChangesRefused):
    """Sign-off needs a decision about fields with two different statements."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = conflicts
        super().__init__(
            Fault(
                "conflicts_open",
                f"{len(conflicts)} fields have two different statements. Choose one of them, or let both stand.",
            )
        )


class Drafts:
    """All drafts of the store. `sign` signs bytes with the gateway's Ed25519 key; `mission` has the values that each
    new draft begins with (vehicle, software)."""

    def __init__(
        self, buffer: Buffer, clock: Clock, *, sign: Callable[[bytes], bytes], mission: Mapping[str, str]
    ) -> None:
        self._buffer = buffer
        self._clock = clock
        self._sign = sign
        self._mission = dict(mission)
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._dropped: BoundedMap[str, bool] = BoundedMap(DROPPED_MAX)
        self._epoch = ""
        self._through = 0
        self._reading = asyncio.Lock()
        self._appending = asyncio.Lock()
        self.devices = DeviceHolding(buffer, clock, self.find)

    # ---- reading

    async def follow(self) -> None:
        """Take each stored change, until cancelled."""
        committed = self._buffer.wait_for_commit()
        while True:
            committed.clear()
            if self._buffer.failure is None and self._is_behind():
                await self.catch_up()
                with suppress(StoreFull, BufferClosed):  # with the next change then
                    async with self._appending:
                        await self._carry_over()
            await committed.wait()

    async def catch_up(self) -> None:
        """Take every change that is stored by now. Raises StoreFull without a store."""
        async with self._reading:
            known = set(self._drafts)
            while self._is_behind():
                epoch = self._buffer.epoch
                if epoch != self._epoch:
                    self._epoch, self._through = epoch, 0
                last = self._buffer.marks()[Lane.EPCR].last
                through, changes = await self._buffer.changes_after(self._through)
                if epoch != self._buffer.epoch:
                    continue
                # Where nothing readable follows, the rest are gap records and damaged batches.
                self._through = through if through > self._through else max(last, self._through)
                for change in changes:
                    if change.encounter in self._dropped:
                        await self._restore(change.encounter)
                    self._draft(change.encounter).take(change)
                    self.devices.take(change)
            await self._compare([each for name, each in self._drafts.items() if name not in known])

    async def _compare(self, drafts: Sequence[Draft]) -> None:
        """Note what the store knows of the logs of these drafts, which were read from it just now."""
        if not drafts:
            return
        logs = await self._buffer.care_logs([each.encounter for each in drafts])
        for draft in drafts:
            if (log := logs.get(draft.encounter)) is not None:
                draft.expected, draft.sealed = log.changes, draft.sealed or log.sealed

    async def _restore(self, encounter: str) -> None:
        """Read the whole log of a dropped draft again, because a seal must cover all of it."""
        del self._dropped[encounter]
        draft, through = self._draft(encounter), 0
        while True:
            after, changes = await self._buffer.changes_after(through)
            if after == through:
                break
            through = after
            for change in changes:
                if change.encounter == encounter:
                    draft.take(change)
        await self._compare([draft])

    def _is_behind(self) -> bool:
        return self._buffer.epoch != self._epoch or self._buffer.marks()[Lane.EPCR].last > self._through

    def _draft(self, encounter: str) -> Draft:
        draft = self._drafts.get(encounter)
        if draft is None:
            while len(self._drafts) >= DRAFTS_MAX:
                oldest = next((each for each in self._drafts.values() if each.sealed), None)
                dropped = next(iter(self._drafts)) if oldest is None else oldest.encounter
                del self._drafts[dropped]
                self._dropped[dropped] = True
            draft = self._drafts[encounter] = Draft(encounter, chain_start(encounter), self._epoch)
        self._drafts.move_to_end(encounter)
        return draft

    async def load(self, encounter: str) -> Draft | None:
        """Return the draft of an encounter with every stored change, also one that was dropped from memory; None for an
        unknown encounter. Raises StoreFull without a store."""
        await self.catch_up()
        if encounter in self._dropped:
            async with self._reading:
                if encounter in self._dropped:
                    await self._restore(encounter)
        return self.find(encounter)

    def find(self, encounter: str) -> Draft | None:
        """Return the draft of an encounter that is in memory, or None."""
        return self._drafts.get(encounter)

    def all(self) -> list[Draft]:
        """Return all drafts, the one that was changed last first."""
        return [each for each in reversed(self._drafts.values()) if each.changes]

    # ---- writing

    async def open(self, encounter: str, *, author: str, change_ids: Iterable[str]) -> Draft:
        """Open the draft of an encounter, with the mission data that is known; return it when it is durable. A draft
        that is open already is returned as it is. Raises StoreFull, and `ChangesRefused` where the encounter had a
        report whose log has left the store."""
        async with self._appending:
            if (draft := await self.load(encounter)) is not None and draft.changes:
                return draft
            await self._require_new(encounter)
            first = opening(
                change_ids,
                encounter=encounter,
                author=author,
                gateway_time_us=self._clock.wall_us(),
                mission={**self._mission, "call.report_number": encounter},
            )
            await self._store([*first, await self.devices.opening(encounter, author)])
        draft = self.find(encounter)
        assert draft is not None, "what is stored is in the log"
        return draft

    async def append_changes(self, changes: Sequence[FieldChange]) -> StoredChanges:
        """Store the changes of one request, all for one encounter; return when they are durable. Changes of a sealed
        draft are refused unless they are an addendum, which is sealed with them.

        Raises `ChangesRefused`, `ChangeIdReused`, StoreFull; then nothing is stored."""
        encounter = changes[0].encounter
        async with self._appending:
            draft = await self.load(encounter)
            if draft is None:
                await self._require_new(encounter)
                return await self._store(changes)
            new = list({change.id: change for change in changes if change.id not in draft.ids}.values())
            if new and draft.is_incomplete:
                raise ChangesRefused(INCOMPLETE)
            if new and len(draft.changes) + len(new) > DRAFT_CHANGES_MAX:
                raise ChangesRefused(Fault("draft_full", f"A report has at most {DRAFT_CHANGES_MAX} changes."))
            if not draft.sealed or not new:
                return await self._store(changes)
            if (fault := fault_after_seal(changes)) is not None:
                raise ChangesRefused(fault)
            seal = draft.sealing(new, new[-1].gateway_time_us, self._sign)
            stored = await self._store([*changes, seal])
            return StoredChanges(tuple(each for each in stored.added if each != seal.id), stored.repeated)

    async def take_devices(self, encounter: str, *, author: str, since_opening: bool) -> Draft | None:
        """Let the devices measure for a report from now on, or since it was opened; return it when that is durable,
        None for an unknown encounter. Raises `ChangesRefused` for a report that takes no changes, and StoreFull."""
        async with self._appending:
            draft = await self.load(encounter)
            if draft is None:
                return None
            if draft.is_incomplete:
                raise ChangesRefused(INCOMPLETE)
            if draft.sealed:
                raise ChangesRefused(Fault(SEALED, "This report is signed. Open a report for the patient."))
            await self._store([await self.devices.move(encounter, author, since_opening=since_opening)])
            return draft

    async def sign_off(
        self, encounter: str, *, author: str, device_time_us: int | None, name: str = ""
    ) -> Draft | None:
        """Sign the draft and seal its log; return it when that is durable, None for an unknown encounter. `name` is
        that of the author, which the hospital reads. A sealed draft is returned as it is. Raises `ConflictsOpen`,
        `ChangesRefused` for an incomplete log, and StoreFull."""
        async with self._appending:
            draft = await self.load(encounter)
            if draft is None or draft.sealed:
                return draft
            if draft.is_incomplete:
                raise ChangesRefused(INCOMPLETE)
            if conflicts := open_conflicts(draft.record):
                raise ConflictsOpen(conflicts)
            now_us = self._clock.wall_us()
            entry = f"signed-{draft.sequence}"
            tag = secrets.token_hex(16)  # no client can have used the ids before, which would prevent the signature
            signature = [
                FieldChange(
                    id=f"{tag}-{element}",
                    encounter=encounter,
                    key=f"signatures.{element}",
                    author=author,
                    gateway_time_us=now_us,
                    entry=entry,
                    value=value,
                    device_time_us=device_time_us,
                )
                for element, value in (
                    ("signer", _SIGNER),
                    ("status", _SIGNED),
                    ("time", utc_text(now_us)),
                    ("last_name", " ".join(name.split())[:SIGNER_LENGTH_MAX]),
                )
                if value
            ]
            closing = [*await self.devices.release(draft, author), *signature]
            await self._store([*closing, draft.sealing(closing, now_us, self._sign)])
            return draft

    async def _require_new(self, encounter: str) -> None:
        """Raise `ChangesRefused` where the store had a log of this encounter."""
        if await self._buffer.care_logs([encounter]):
            raise ChangesRefused(INCOMPLETE)

    async def _store(self, changes: Sequence[FieldChange]) -> StoredChanges:
        await self._carry_over()
        encounter = changes[0].encounter
        draft = self.find(encounter)
        ids = {change.id for change in changes} | (set() if draft is None else draft.ids)
        stored = await self._buffer.append_changes(changes, {encounter: len(ids)})
        await self.catch_up()
        return stored

    async def _carry_over(self) -> None:
        """Store the logs of the drafts in memory again where another store has replaced the one that they are in."""
        epoch = self._buffer.epoch
        for draft in [each for each in self._drafts.values() if each.epoch != epoch]:
            count = {draft.encounter: max(draft.sequence, draft.expected)}
            for page in change_pages(draft.changes):
                await self._buffer.append_changes(page, count)
            draft.epoch = epoch
            log.info("epcr.log_carried_over", changes=draft.sequence)
