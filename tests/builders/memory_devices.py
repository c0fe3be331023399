"""A device with a PM-store, its segments and its configuration, and a manager at the other end of a simulated link."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.transports.capture import Dir
from protocols.device_time import DeviceTime, absolute_time
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_pm_store import AgentPmStore, StoredSegment
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.fetched_segments import RememberedSegments, SegmentKey, SegmentProgress
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.segment_events import SegmentDataReceived, SegmentNotFetched, SegmentsCleared
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.dim.segment_writing import EPISODIC_STORE, entry, entry_map, pm_store
from protocols.ieee11073.mder import encode
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Observation
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID

GLUCOSE, MG_DL = Code(2, 29112), Code(4, 2130)
STORE = 9
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
METER = Configuration(
    0x4100,
    (numeric(1, GLUCOSE, MG_DL, time_stamp=Attribute.TIME_STAMP_ABSOLUTE, metric_spec=0xF040), pm_store(STORE)),
)
"""A glucose meter with one numeric and one PM-store."""


def minute(number: int) -> DeviceTime:
    """Return the absolute device time `number` minutes after noon."""
    return absolute_time(NOON + timedelta(minutes=number))


def meter_entry(number: int, value: float | None = None) -> bytes:
    """Return the encoded entry that the meter measured `number` minutes after noon; the default value depends on the
    minute."""
    reading = Reading(1, 80.0 + number % 100 if value is None else value)
    return entry(entry_map(METER, [1]), minute(number), [reading])


def meter_segment(
    number: int, minutes: Sequence[int], *, start: DeviceTime | None = None, more: dict[int, bytes] | None = None
) -> StoredSegment:
    """Return segment `number` with an entry for each of these minutes after noon. It starts at `start`, or at the first
    minute; `more` are further attributes."""
    begin = start or (minute(minutes[0]) if minutes else None)
    attributes: dict[int, bytes] = {Attribute.SEGMENT_MAP: encode(entry_map(METER, [1]))}
    if begin is not None:
        attributes[Attribute.SEGMENT_START_ABSOLUTE] = begin.octets
    return StoredSegment(number, tuple(map(meter_entry, minutes)), {**attributes, **(more or {})})


@dataclass
class HeldMemory:
    """The segments of a PM-store in a list; `cleared` are the numbers of the segments that a manager cleared, in
    order."""

    held: list[StoredSegment]
    cleared: list[int] = field(default_factory=list)

    def segments(self) -> Sequence[StoredSegment]:
        return list(self.held)

    def clear(self, numbers: Sequence[int]) -> None:
        self.cleared += numbers
        self.held = [segment for segment in self.held if segment.number not in numbers]


class MemoryPair:
    """A manager and a device with a PM-store, on a simulated link that can end after any byte; the test moves the time.

    `durable` are the observations that the manager's side stored, `told` the manager's events, `heard` the agent's
    events.
    """

    def __init__(
        self,
        memory: HeldMemory,
        *,
        settings: PmStoreSettings | None = None,
        configuration: Configuration = METER,
        capability: int = EPISODIC_STORE,
        entries_per_event: int = 2,
        fetched: RememberedSegments | None = None,
        remembered: RememberedConfigurations | None = None,
        agent_store: AgentPmStore | None = None,
    ) -> None:
        self.memory = memory
        self.fetched = fetched or RememberedSegments()
        self.manager = ManagerAssociation(
            system_id=MANAGER_ID,
            configurations=remembered or RememberedConfigurations(),
            settings=ManagerSettings(memory=settings or PmStoreSettings()),
            fetched=self.fetched,
        )
        store = agent_store or AgentPmStore(STORE, memory, capability=capability, entries_per_event=entries_per_event)
        self.agent = AgentAssociation(system_id=AGENT_ID, configurations=[configuration], services=[store])
        self.now_s = 0.0
        self.durable: list[Observation] = []
        self.told: list[Event] = []
        self.heard: list[Event] = []
        self.refuse = 0
        """Number of segment events that are refused before one is accepted."""
        self.holds = False
        """If true, as on a slow disk, entries are kept in `held` until `commit`."""
        self.held: list[SegmentDataReceived] = []
        self.said: list[tuple[Dir, bytes]] = []
        """The direction ("agent->manager" or "manager->agent") and the bytes of each APDU on the link."""
        self.to_manager_bytes = self.to_agent_bytes = 0
        self.cut_to_manager: int | None = None
        self.cut_to_agent: int | None = None
        """Number of bytes in the direction of each name after which the link ends; None: the link does not end."""

    def run(self) -> "MemoryPair":
        """Associate if not associated, and exchange bytes until both ends are idle at the present time; return the
        pair."""
        if self.agent.state is State.UNASSOCIATED:
            self.heard += self.agent.associate(self.now_s)
        self.exchange()
        return self

    def exchange(self) -> None:
        while not self.manager.closed and not self.agent.closed:
            to_manager, to_agent = self.agent.to_send(), self.manager.to_send()
            deadline_s = self.manager.deadline_s
            due = deadline_s is not None and deadline_s <= self.now_s
            if not to_manager and not to_agent and not due:
                return
            if due:
                self.handle(self.manager.expire(self.now_s))
            kept, ends = _cut(to_manager, self.to_manager_bytes, self.cut_to_manager)
            self.to_manager_bytes += len(kept)
            self.said += [("agent->manager", apdu) for apdu in ApduStream().feed(kept)]
            self.handle(self.manager.receive(kept, self.now_s) if kept else [])
            if ends:
                self.lose()
                return
            kept, ends = _cut(to_agent, self.to_agent_bytes, self.cut_to_agent)
            self.to_agent_bytes += len(kept)
            self.said += [("manager->agent", apdu) for apdu in ApduStream().feed(kept)]
            self.heard += self.agent.receive(kept, self.now_s) if kept else []
            if ends:
                self.lose()
                return

    def lose(self) -> None:
        """End the link for both ends; bytes in flight are lost."""
        self.handle(self.manager.receive(b"", self.now_s))
        self.heard += self.agent.receive(b"", self.now_s)

    def handle(self, events: Sequence[Event]) -> None:
        """Handle the manager's events as a gateway does: store entries and progress together, then report the events as
        delivered."""
        for event in events:
            self.told.append(event)
            if isinstance(event, SegmentDataReceived):
                if self.holds:
                    self.held.append(event)
                    continue
                if self.refuse:
                    self.refuse -= 1
                    self.manager.refused(event)
                    continue
                self.durable += event.observations
                key = SegmentKey(AGENT_ID, event.store, event.segment)
                self.fetched.note(key, SegmentProgress(event.identity, event.through, event.whole))
            elif isinstance(event, SegmentsCleared):
                for number in event.segments:
                    self.fetched.forget(SegmentKey(AGENT_ID, event.store, number))
            self.manager.delivered(event)

    def commit(self) -> None:
        """Store the entries that were kept back in `held`, as on a slow disk, and report them to the manager as
        delivered. Later entries are stored at once."""
        held, self.held, self.holds = self.held, [], False
        self.handle(held)
        self.exchange()

    def wait(self, seconds: float) -> None:
        """Advance the time by `seconds`; each end's deadlines expire when they are due."""
        until_s = self.now_s + seconds
        while True:
            deadlines = [one for one in (self.manager.deadline_s, self.agent.deadline_s) if one is not None]
            if min(deadlines, default=until_s + 1) > until_s:
                break
            self.now_s = max(self.now_s, min(deadlines))
            self.handle(self.manager.expire(self.now_s))
            self.heard += self.agent.expire(self.now_s)
            self.exchange()
        self.now_s = until_s

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the manager's events of this type."""
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def minutes(self) -> list[int]:
        """Return the device time of each durable entry in minutes after noon, in the order of storage."""
        found = []
        for observation in self.durable:
            assert observation.device_time is not None
            local_us = observation.device_time.local_us()
            assert local_us is not None
            found.append(round((local_us / 1_000_000 - NOON.timestamp()) / 60))
        return found

    @property
    def not_fetched(self) -> list[tuple[int | None, str]]:
        return [(event.segment, event.why.name) for event in self.of(SegmentNotFetched)]


def _cut(octets: bytes, before: int, limit: int | None) -> tuple[bytes, bool]:
    if limit is None or before + len(octets) <= limit:
        return octets, False
    return octets[: max(0, limit - before)], True
