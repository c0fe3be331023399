"""Missions from the dispatch system: verify each, store it in the log of its encounter, and open its draft.

The cloud sends a mission with every status that does not list its version (`protocols.uplink.missions`). The log of the
draft is the only memory: a mission whose changes are durable is listed in the next status, also after a power cut. The
draft is opened by the first version, with the mission's values and the paired devices (DESIGN D16), and shown to the
crew at once.

Nothing here replaces what a crew member entered (`protocols.epcr.mission`). A mission for a report that is signed
changes nothing: the log is sealed. So does one for a log that takes no changes for another reason: it is full, or the
vehicle has only a part of it. Both count as stored, so that the cloud stops sending them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from gateway.buffer import BufferClosed, StoreFull
from gateway.buffer.care_changes import ChangeIdReused
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import ChangesRefused, Drafts
from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap
from protocols.epcr.mission import (
    StoredMission,
    copied_changes,
    joined_mission,
    joined_report,
    joining_changes,
    mission_changes,
    stored_mission,
)
from protocols.epcr.seal import GATEWAY_AUTHOR
from protocols.epcr.sharing import open_links
from protocols.epcr.signing import has_entries
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.missions import Mission, MissionStatus, decode_mission
from protocols.uplink.status import MISSIONS_MAX

log = structlog.get_logger()

OPENED_MAX, OPENED_S = 32, 3600.0
"""Drafts that missions open within an hour: half of the drafts in memory."""
JOIN_WITHIN_US = 7_200_000_000
"""Time between a crew's report and a mission that may be the same call."""
SETTLED_MAX = 64
"""Versions that are remembered although no log has them."""


@dataclass(frozen=True, slots=True)
class Vehicle:
    """The names under which the cloud sends missions to this gateway."""

    tenant: str
    gateway: str
    vehicle: str


class JoinRefused(Exception):
    """A mission and a report cannot be joined; the text has the reason, `code` its name."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class Missions:
    """The missions of this vehicle. `keys`: public keys of the cloud that sign missions, 32 bytes each; without one,
    every mission is refused. `is_synchronised` returns whether the gateway's clock is right."""

    def __init__(
        self,
        drafts: Drafts,
        clock: Clock,
        vehicle: Vehicle,
        *,
        keys: Collection[bytes],
        is_synchronised: Callable[[], bool],
    ) -> None:
        self._drafts = drafts
        self._clock = clock
        self._vehicle = vehicle
        self._keys = tuple(keys)
        self._is_synchronised = is_synchronised
        self._settled: BoundedMap[str, int] = BoundedMap(SETTLED_MAX)
        self._opened_at_s: deque[float] = deque(maxlen=OPENED_MAX)
        self._joining = asyncio.Lock()
        self.received = 0
        """Number of versions that were stored since the start: a page shows a new mission when it grows."""
        self.watchers: set[asyncio.Event] = set()
        """Each event is set when `received` has grown."""

    # ---- from the cloud

    def held(self) -> dict[str, int]:
        """Return the version of each mission that is stored, by encounter, the newest `MISSIONS_MAX`."""
        found = dict(list(reversed(self._settled.items()))[: MISSIONS_MAX // 2])
        for draft, mission in self.all():
            found.setdefault(draft.encounter, mission.version)
        return dict(list(found.items())[:MISSIONS_MAX])

    async def receive(self, data: bytes) -> bool:
        """Verify and store a mission. Return whether the status changed: True when it is durable. A mission that is
        refused, or cannot be stored now, is logged; the cloud sends it again."""
        try:
            mission = decode_mission(data, tenant=self._vehicle.tenant, gateway=self._vehicle.gateway, keys=self._keys)
        except RemoteProtocolError as error:
            log.warning("mission.refused", why=error.reason)
            return False
        if (why := self._fault(mission)) is not None:
            log.warning("mission.refused", why=why, encounter=mission.encounter)
            return False
        try:
            return await self._store(mission)
        except (StoreFull, BufferClosed) as error:
            log.warning("mission.not_stored", encounter=mission.encounter, why=str(error))
        except ChangesRefused as refused:
            log.warning("mission.log_closed", encounter=mission.encounter, why=refused.fault.code)
            self._settled[mission.encounter] = mission.version
            return True
        except (ChangeIdReused, LocalProtocolError) as error:
            log.error("mission.not_stored", encounter=mission.encounter, why=type(error).__name__)
        return False

    def _fault(self, mission: Mission) -> str | None:
        if mission.vehicle != self._vehicle.vehicle:
            return "it is for another vehicle"
        # A clock that does not know the time yet must not refuse the call.
        if self._is_synchronised() and mission.expires_at_us < self._clock.wall_us():
            return "it has expired"
        return None

    async def _store(self, mission: Mission) -> bool:
        encounter = mission.encounter
        draft = await self._drafts.load(encounter)
        known = None if draft is None else stored_mission(draft.record)
        if known is not None and mission.version <= known.version:
            return False
        if draft is None or not draft.changes:
            if mission.status is not MissionStatus.IN_PROGRESS:
                self._settled[encounter] = mission.version  # it ended before this vehicle had it
                return True
            if not self._count_opening():
                log.warning("mission.refused", why="too many within an hour", encounter=encounter)
                return False
            ids = (f"{encounter[-48:]}-open-{number}" for number in range(64))
            draft = await self._drafts.open(encounter, author=GATEWAY_AUTHOR, change_ids=ids)
        if draft.sealed:
            self._settled[encounter] = mission.version
            log.warning("mission.after_signature", encounter=encounter, version=mission.version)
            return True
        await self._copy_to_report(mission, draft)
        now_us = self._clock.wall_us()
        await self._drafts.append_changes(mission_changes(mission, draft.changes, gateway_time_us=now_us))
        self.received += 1
        for watcher in self.watchers:
            watcher.set()
        log.info("mission.stored", encounter=encounter, version=mission.version, status=mission.status.value)
        return True

    def _count_opening(self) -> bool:
        now_s = self._clock.monotonic_s()
        if len(self._opened_at_s) == OPENED_MAX and now_s - self._opened_at_s[0] < OPENED_S:
            return False
        self._opened_at_s.append(now_s)
        return True

    async def _copy_to_report(self, mission: Mission, draft: Draft) -> None:
        """Copy what the mission states now to the crew's report that it was joined to. A report that takes no changes,
        since it is full or a part of it is missing, stays as it is: the log of the mission has what is new."""
        joined = joined_report(draft.record)
        report = None if joined is None else await self._drafts.load(joined)
        if report is None or report.sealed:
            return
        now_us = self._clock.wall_us()
        changes = copied_changes(mission, report.changes, encounter=report.encounter, gateway_time_us=now_us)
        try:
            if changes:
                await self._drafts.append_changes(changes)
        except ChangesRefused as refused:
            log.warning("mission.report_closed", encounter=report.encounter, why=refused.fault.code)

    # ---- for the crew

    def all(self) -> Sequence[tuple[Draft, StoredMission]]:
        """Return the drafts with a mission, the one that was changed last first."""
        found = ((draft, stored_mission(draft.record)) for draft in self._drafts.all())
        return [(draft, mission) for draft, mission in found if mission is not None]

    def continued(self) -> dict[str, str]:
        """Return the report that continues each joined mission, by the mission's encounter. A mission in whose log the
        crew wrote, too, or that has an open share link, is left out: the report in this vehicle has neither."""
        found = ((draft, joined_report(draft.record)) for draft, _ in self.all())
        return {
            draft.encounter: report
            for draft, report in found
            if report is not None and not has_entries(draft.changes) and not open_links(draft.changes)
        }

    def open_count(self) -> int:
        """Return the number of missions that have neither ended nor a signed report."""
        return sum(one.status is MissionStatus.IN_PROGRESS and not self._is_signed(draft) for draft, one in self.all())

    def _is_signed(self, draft: Draft) -> bool:
        """Return whether the log of a mission is signed, or has no entries of the crew and the report that continues it
        is signed."""
        joined = joined_report(draft.record)
        report = None if joined is None else self._drafts.find(joined)
        return draft.sealed or (report is not None and report.sealed and not has_entries(draft.changes))

    def has_entries(self, encounter: str) -> bool:
        """Return whether the crew wrote in the log of a mission."""
        draft = self._drafts.find(encounter)
        return draft is not None and has_entries(draft.changes)

    def candidates(self) -> dict[Draft, list[Draft]]:
        """Return the missions that each open report of the crew may belong to, the nearest by the time of opening
        first: those that no report continues, and that were opened within `JOIN_WITHIN_US` of the report. A join that
        was interrupted, so that only the report states it, has its mission as the only candidate, until it is
        complete."""
        free = [each for each, _ in self.all() if not each.sealed and joined_report(each.record) is None]
        reports = [each for each in self._drafts.all() if stored_mission(each.record) is None]
        begun = {each: call for each in reports if (call := joined_mission(each.record)) is not None}
        found: dict[Draft, list[Draft]] = {}
        for report in reports:
            if report in begun:
                near = [each for each in free if each.encounter == begun[report]]
            elif report.sealed:
                near = []
            else:
                apart_us = {each: _apart_us(each, report) for each in free if each.encounter not in begun.values()}
                near = sorted((each for each in apart_us if apart_us[each] <= JOIN_WITHIN_US), key=apart_us.__getitem__)
            if near:
                found[report] = near
        return found

    async def join(self, encounter: str, report: str, *, author: str) -> None:
        """Record that a crew's report continues the mission of an encounter; return when it is durable. Repeating it
        completes a join that was interrupted, and else changes nothing. Raises `JoinRefused`, `ChangesRefused`,
        StoreFull."""
        async with self._joining:  # two tablets may join one call to two reports
            await self._join(encounter, report, author)

    async def _join(self, encounter: str, report: str, author: str) -> None:
        mission_draft, report_draft = await self._drafts.load(encounter), await self._drafts.load(report)
        if mission_draft is None or report_draft is None or stored_mission(mission_draft.record) is None:
            raise JoinRefused("unknown", "This vehicle has no such report or mission.")
        if (joined_report(mission_draft.record), joined_mission(report_draft.record)) == (report, encounter):
            return
        if joined_report(mission_draft.record) not in (None, report):
            raise JoinRefused("joined", "The call has been joined to another report.")
        if stored_mission(report_draft.record) is not None or joined_mission(report_draft.record) not in (
            None,
            encounter,
        ):
            raise JoinRefused("joined", "This report belongs to another call.")
        is_begun = joined_mission(report_draft.record) == encounter
        if mission_draft.sealed or (report_draft.sealed and not is_begun):
            raise JoinRefused("sealed", "A signed report cannot be joined to a call. Add an addendum.")
        of_report, of_mission = joining_changes(
            mission=encounter,
            report=report,
            of_mission=mission_draft.changes,
            of_report=report_draft.changes,
            author=author,
            gateway_time_us=self._clock.wall_us(),
        )
        for draft, changes in ((report_draft, [] if is_begun else of_report), (mission_draft, of_mission)):
            if new := [each for each in changes if each.id not in draft.ids]:
                await self._drafts.append_changes(new)
        if self._drafts.devices.holder is mission_draft and not report_draft.sealed:
            # The mission came first and took the free devices; the report has them since it was opened.
            await self._drafts.take_devices(report, author=author, since_opening=True)
        log.info("mission.joined", encounter=encounter, report=report)


def _apart_us(one: Draft, other: Draft) -> int:
    return abs(one.changes[0].gateway_time_us - other.changes[0].gateway_time_us)
