"""A device that keeps unacknowledged reports, a manager that collects the delivered reports, and four kinds of
simulated link between them.

The kinds are perfect, one byte at a time, slow, and lossy. A lossy link ends after a random number of bytes in either
direction, and both ends start again on a new link. There is no socket and no real time, so the results over all kinds
of link can be compared byte by byte.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any, Final

from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_events import ReportAccepted
from protocols.ieee11073.association.agent_service import AgentService
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import ScanReport
from protocols.observation import Observation
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID

SLOW_OCTET_S: Final = 0.0005
"""20 kbit/s: the largest report of a simulated device takes 2 s, which is below the response's timeout of 3 s."""
_HEADS_OCTETS: Final = 100
"""Approximate number of bytes on a link before a configuration or a report. A lossy link carries between one byte
and three times the largest APDU, so that it can end anywhere and the transfer still proceeds."""
TURNS_MAX: Final = 100_000
"""Limit of the pieces and waits in a transfer; a transfer that exceeds it fails."""


class LinkKind(Enum):
    """The way in which a link carries bytes from one end to the other."""

    PERFECT = "perfect"
    ONE_OCTET = "one-octet"
    SLOW = "slow"
    LOSSY = "lossy"


@dataclass(frozen=True)
class Spoken:
    """The content that a device sends: its configuration, its reports, the attributes of its MDS, and its services."""

    configuration: Configuration
    reports: Sequence[ScanReport]
    services: Sequence[AgentService] = ()
    mds: tuple[Any, ...] = ()


Row = tuple[object, ...]


def row_of(one: Observation) -> Row:
    """Return everything in an observation except its time of reception, as a tuple."""
    time = None if one.device_time is None else one.device_time.text()
    return one.channel, one.value, one.samples, one.status, time


@dataclass
class Story:
    """The results of a transfer.

    `delivered` has each report that the manager delivered, in order. A report is a tuple with one row for each
    observation, made by `row_of`. `told` are the manager's other events; `answered` counts the acknowledged reports;
    `links` is the number of links used.
    """

    delivered: list[tuple[Row, ...]] = field(default_factory=list)
    numbers: list[list[int]] = field(default_factory=list)
    """For each association, the report numbers that the manager received, in order."""
    told: list[Event] = field(default_factory=list)
    answered: int = 0
    links: int = 0


class StoryRun:
    """A transfer of one device's reports over one kind of link. Either all reports are `confirmed`, or none."""

    def __init__(self, spoken: Spoken, kind: LinkKind, *, confirmed: bool = True, seed: object = 0) -> None:
        self._spoken = spoken
        self._kind = kind
        self._confirmed = confirmed
        self._random = Random(f"{seed}:{kind.value}")
        self._outbox = deque(spoken.reports)
        largest = max([len(spoken.configuration.encoded), *(len(report.observations) for report in spoken.reports)])
        self._life_octets_max = 3 * (largest + _HEADS_OCTETS)
        self._remembered = RememberedConfigurations()
        self._now_s = 0.0
        self._turns = 0
        self._under_way: int | None = None
        self.story = Story()

    def tell(self) -> Story:
        """Run the transfer until every report has been sent, and acknowledged if confirmed. Return the results."""
        while self._outbox:
            self._link()
        return self.story

    def _link(self) -> None:
        self.story.links += 1
        self._under_way = None
        self._manager = ManagerAssociation(system_id=MANAGER_ID, configurations=self._remembered)
        self._agent = AgentAssociation(
            system_id=AGENT_ID,
            configurations=(self._spoken.configuration,),
            mds_attributes=lambda: self._spoken.mds,
            services=self._spoken.services,
        )
        left = self._random.randrange(1, self._life_octets_max) if self._kind is LinkKind.LOSSY else None
        self._heard(self._agent.associate(self._now_s))
        while self._outbox or self._agent.state is not State.UNASSOCIATED:
            self._offer()
            moved = 0
            for octets, to_manager in ((self._agent.to_send(), True), (self._manager.to_send(), False)):
                moved += len(octets)
                for piece in self._pieces(octets):
                    if left is not None:
                        piece, left = piece[:left], left - min(left, len(piece))
                    self._carry(piece, to_manager=to_manager)
                    if left == 0:
                        self._cut()
                        return
            if not moved:
                if self._outbox or self._agent.state is State.DISASSOCIATING:
                    self._wait()
                else:
                    self._heard(self._agent.release(self._now_s))

    def _offer(self) -> None:
        """Send the next report, if the association operates, the previous confirmed report is acknowledged, and the
        report's scanner is enabled."""
        if not self._outbox or self._agent.state is not State.OPERATING:
            return
        report = self._outbox[0]
        if report.handle and not self._agent.scanner_enabled(report.handle):
            return
        if not self._confirmed:
            self._agent.report(self._outbox.popleft(), confirmed=False, now_s=self._now_s)
        elif self._under_way is None and self._agent.can_confirm:
            self._under_way = self._agent.report(report, confirmed=True, now_s=self._now_s)

    def _pieces(self, octets: bytes) -> Iterator[bytes]:
        match self._kind:
            case LinkKind.PERFECT:
                if octets:
                    yield octets
            case LinkKind.ONE_OCTET | LinkKind.SLOW:
                yield from (octets[at : at + 1] for at in range(len(octets)))
            case LinkKind.LOSSY:
                at = 0
                while at < len(octets):
                    step = self._random.randrange(1, 400)
                    yield octets[at : at + step]
                    at += step

    def _carry(self, piece: bytes, *, to_manager: bool) -> None:
        self._turns += 1
        assert self._turns < TURNS_MAX, "the story does not end"
        if self._kind is LinkKind.SLOW:
            self._now_s += SLOW_OCTET_S
        if not piece:
            return
        if to_manager:
            self._took(self._manager.receive(piece, self._now_s))
        else:
            self._heard(self._agent.receive(piece, self._now_s))

    def _took(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ReportReceived):
                self.story.delivered.append(tuple(row_of(one) for one in event.observations))
                self.story.numbers[-1].append(event.report_no)
            else:
                self.story.told.append(event)
            self._manager.delivered(event)

    def _heard(self, events: list[Event]) -> None:
        if self._agent.state is State.ASSOCIATING:
            self.story.numbers.append([])
        for event in events:
            if isinstance(event, ReportAccepted):
                assert event.invoke_id == self._under_way
                self._under_way = None
                self._outbox.popleft()
                self.story.answered += 1

    def _cut(self) -> None:
        """End the link for both ends; bytes in flight in either direction are lost."""
        self._took(self._manager.receive(b"", self._now_s))
        self._heard(self._agent.receive(b"", self._now_s))

    def _wait(self) -> None:
        """Advance the time to the next deadline, because neither end has bytes to send."""
        due = [one.deadline_s for one in (self._manager, self._agent) if one.deadline_s is not None]
        assert due, "nothing moves and nothing is due"
        self._now_s = max(self._now_s, min(due))
        self._turns += 1
        assert self._turns < TURNS_MAX, "the story does not end"
        self._took(self._manager.expire(self._now_s))
        self._heard(self._agent.expire(self._now_s))
