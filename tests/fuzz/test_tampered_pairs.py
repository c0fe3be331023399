"""Our manager and our agents on a link that changes some APDUs in either direction.

The conversations go beyond the association: memories are fetched, scanners enabled, clocks set and data requested,
while APDUs are changed at random. Neither end raises, and both become idle.
"""

from contextlib import suppress
from random import Random

import pytest

from protocols.errors import LocalProtocolError
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import AgentSettings, ManagerSettings, PmStoreSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from tests.builders.fuzz_counts import SEED, count, seeded
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID
from tests.builders.ieee11073_devices import BLOOD_PRESSURE, OXIMETER, ecg_configuration
from tests.builders.ieee11073_fuzz_peers import Peers, command, mds, reporting, services
from tests.builders.ieee11073_mutations import damaged
from tests.builders.ieee11073_splices import Pool, Sample
from tests.builders.memory_devices import METER

STORIES = count(100)
TURNS = 60
KINDS = (OXIMETER, BLOOD_PRESSURE, ecg_configuration(), METER)


class TamperedPair:
    """A manager and an agent on one link, which changes each APDU with a fixed probability."""

    def __init__(self, configuration: Configuration, pool: Pool, random: Random) -> None:
        self._pool = pool
        self._random = random
        self._changes = random.choice((0.03, 0.1, 0.3))
        self._now_s = 0.0
        self._report = reporting(configuration)
        self.tampered = 0
        self.operated = 0
        settings = ManagerSettings(
            memory=PmStoreSettings(clear=random.random() < 0.5), clock_read_every_s=5.0, resynchronise=True
        )
        self.manager = ManagerAssociation(
            system_id=MANAGER_ID, configurations=RememberedConfigurations(), settings=settings
        )
        self.agent = AgentAssociation(
            system_id=AGENT_ID,
            configurations=(configuration,),
            mds_attributes=mds,
            services=services(configuration),
            settings=AgentSettings(reports_unasked=random.random() < 0.7),
        )

    def live(self) -> None:
        for _ in range(TURNS):
            if self.agent.closed:
                return
            if self.agent.state is State.UNASSOCIATED:
                self.agent.associate(self._now_s)
            elif self.agent.state is State.OPERATING:
                self.operated += 1
                with suppress(LocalProtocolError):  # commands that are not allowed now
                    self._report(self.agent, self._now_s, self._random)
            if self.manager.state is State.OPERATING and self._random.random() < 0.3:
                with suppress(LocalProtocolError):
                    command(self.manager, self._now_s, self._random)
            self.exchange()
            self._now_s += self._random.choice((0.01, 0.1, 1.0, 4.0))
            self.manager.expire(self._now_s)
            self.agent.expire(self._now_s)
            self.exchange()

    def exchange(self) -> None:
        """Carry APDUs in both directions until neither end has any to send; fail after 200 rounds, since two faulty
        ends could exchange APDUs for ever."""
        for _ in range(200):
            to_manager, to_agent = self.agent.to_send(), self.manager.to_send()
            due_s = self.manager.deadline_s
            if due_s is not None and due_s <= self._now_s:
                self.manager.expire(self._now_s)
            elif not to_manager and not to_agent:
                return
            for octets in ApduStream().feed(to_manager):
                for event in self.manager.receive(self.carried(octets), self._now_s):
                    (self.manager.refused if self._random.random() < 0.05 else self.manager.delivered)(event)
            for octets in ApduStream().feed(to_agent):
                self.agent.receive(self.carried(octets), self._now_s)
        raise AssertionError("the two talk without end")

    def carried(self, octets: bytes) -> bytes:
        if self._random.random() >= self._changes:
            return octets
        self.tampered += 1
        if self._random.random() < 0.8:
            return self._pool.changed(Sample(octets), self._random) or octets
        return damaged(octets, self._random) or octets


@pytest.mark.parametrize("shard", range(2))
def test_conversation_of_agent_and_manager_with_tampered_bytes_ends_without_an_exception(shard: int) -> None:
    pool = Peers().pool
    tampered = operated = 0
    for number in range(STORIES // 2):
        random = seeded("tampered", shard, number)
        pair = TamperedPair(random.choice(KINDS), pool, random)
        try:
            pair.live()
        except Exception as error:
            raise AssertionError(f"ARGUS_FUZZ_SEED={SEED}, tampered {shard} {number}") from error
        tampered += pair.tampered
        operated += pair.operated
    assert tampered > STORIES
    assert operated > STORIES
