"""Our manager and our agent, joined by a simulated link; the test moves the time. Each role tests the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_objects import MdsAttributes
from protocols.ieee11073.association.agent_service import AgentService
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import AgentSettings, ManagerSettings
from protocols.ieee11073.dim.configuration import Configuration
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID


@dataclass
class Pair:
    """A manager and an agent, their events, and the APDUs that each sent.

    `step` is the number of bytes that each end receives at a time; None: all at once. With `delivers` false, the
    manager's events are not reported to it as delivered.
    """

    manager: ManagerAssociation
    agent: AgentAssociation
    step: int | None = None
    now_s: float = 0.0
    delivers: bool = True
    manager_events: list[Event] = field(default_factory=list)
    agent_events: list[Event] = field(default_factory=list)
    sent_by_manager: list[bytes] = field(default_factory=list)
    sent_by_agent: list[bytes] = field(default_factory=list)

    def associate(self) -> "Pair":
        """Start the association from the agent, exchange bytes until both ends are idle, and return the pair."""
        self.agent_events += self.agent.associate(self.now_s)
        self.exchange()
        return self

    def exchange(self) -> None:
        """Carry bytes in both directions until neither end has any to send; report the manager's events to it as
        delivered, unless `delivers` is false."""
        while True:
            to_manager, to_agent = self.agent.to_send(), self.manager.to_send()
            if not to_manager and not to_agent:
                return
            self.sent_by_agent += ApduStream().feed(to_manager)
            self.sent_by_manager += ApduStream().feed(to_agent)
            for piece in self._pieces(to_manager):
                for event in self.manager.receive(piece, self.now_s):
                    self.manager_events.append(event)
                    if self.delivers:
                        self.manager.delivered(event)
            for piece in self._pieces(to_agent):
                self.agent_events += self.agent.receive(piece, self.now_s)

    def run_until(self, now_s: float) -> None:
        """Advance the time to `now_s`; each end's deadlines expire when they are due."""
        while True:
            deadlines = [one for one in (self.manager.deadline_s, self.agent.deadline_s) if one is not None]
            due_s = min(deadlines, default=now_s + 1)
            if due_s > now_s:
                break
            self.now_s = due_s
            self.manager_events += self.manager.expire(due_s)
            self.agent_events += self.agent.expire(due_s)
            self.exchange()
        self.now_s = now_s
        self.manager_events += self.manager.expire(now_s)
        self.agent_events += self.agent.expire(now_s)
        self.exchange()

    def _pieces(self, octets: bytes) -> Iterator[bytes]:
        step = self.step or max(len(octets), 1)
        return (octets[at : at + step] for at in range(0, len(octets), step))


def association_pair(
    *configurations: Configuration,
    step: int | None = None,
    manager_settings: ManagerSettings | None = None,
    agent_settings: AgentSettings | None = None,
    mds_attributes: MdsAttributes = tuple,
    services: Sequence[AgentService] = (),
    remembered: RememberedConfigurations | None = None,
    system_ids: Sequence[bytes] = (MANAGER_ID, AGENT_ID),
) -> Pair:
    """Return a new pair, not yet associated; the agent offers the configurations in the given order."""
    return Pair(
        ManagerAssociation(
            system_id=system_ids[0],
            configurations=remembered or RememberedConfigurations(),
            settings=manager_settings,
        ),
        AgentAssociation(
            system_id=system_ids[1],
            configurations=configurations,
            mds_attributes=mds_attributes,
            services=services,
            settings=agent_settings,
        ),
        step,
    )
