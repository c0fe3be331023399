"""A manager responds, aborts or closes on any damaged conversation: it never raises and never hangs.

The agent's APDUs of every conversation in the corpus, and of the shared captures if they are present, are damaged and
sent as a whole conversation, so that APDUs are repeated, reordered or missing. `test_manager_engine` sends single
mutated APDUs, and far more of them.
"""

from itertools import chain
from random import Random

import pytest

from protocols.deviation import Deviation
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Associated
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.fuzz_counts import SEED, count, seeded
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID
from tests.builders.ieee11073_corpus import agent_apdus, conversations
from tests.builders.ieee11073_devices import OXIMETER, minute, operating_manager
from tests.builders.ieee11073_fuzz_peers import captured
from tests.builders.ieee11073_mutations import mutated, sliced

COUNT = count(600)
DEVIATIONS_MAX = 80
"""Limit of the deviations that one association reports, including the sentence that ends the list."""
ANSWER_OCTETS_MAX = 64
"""Limit of the bytes that a manager sends for one APDU, Get and verdict together."""

CORPUS = {name: agent_apdus(conversation) for name, conversation in conversations().items()}


def captures() -> dict[str, list[bytes]]:
    return {name: [octets for who, octets in said if who == "agent"] for name, said in captured().items()}


def play(manager: ManagerAssociation, pieces: list[bytes], random: Random) -> None:
    """Send the pieces to the manager, then end the link; check after every read that events, responses and deviations
    stay bounded."""
    now_s, deviations, received = 0.0, 0, 0
    for piece in chain(pieces, [b""]):
        now_s += random.random() * 0.2
        events = manager.receive(piece, now_s)
        received += len(piece)
        assert len(events) <= 4 * len(piece) + 80
        for event in events:
            if isinstance(event, Associated):
                deviations = 0
            deviations += isinstance(event, Deviation)
            verdict = manager.refused if random.random() < 0.1 else manager.delivered
            verdict(event)
            if isinstance(event, ReportReceived):
                assert all((one.value is None) != (one.samples is None) for one in event.observations)
        assert len(manager.to_send()) <= ANSWER_OCTETS_MAX * (received // 4 + 1)
        assert deviations <= DEVIATIONS_MAX
        if random.random() < 0.05:
            now_s += 4.0
            manager.expire(now_s)
        if random.random() < 0.02:
            random.choice((manager.abort, lambda: manager.release(now_s)))()  # noqa: B023  # called at once
        if manager.state is State.UNASSOCIATED:
            # None of the standard's timeouts runs now, only the timeout for the rest of an APDU.
            assert manager.deadline_s is None or manager.deadline_s <= now_s + ManagerSettings().to_apdu_s
    assert manager.closed


@pytest.fixture(scope="module")
def conversations_to_damage() -> dict[str, list[bytes]]:
    return {**CORPUS, **captures()}


def test_manager_handles_mutated_conversations_without_an_exception(
    conversations_to_damage: dict[str, list[bytes]],
) -> None:
    print(f"\nfuzz: {COUNT} mutated conversations, seed {SEED}, of {len(conversations_to_damage)}")
    names = sorted(conversations_to_damage)
    for number in range(COUNT):
        random = seeded("conversation", number)
        name = random.choice(names)
        octets = b"".join(mutated(conversations_to_damage[name], random))
        settings = ManagerSettings(
            accept_standard_configurations=random.random() < 0.5, resynchronise=random.random() < 0.5
        )
        manager = ManagerAssociation(system_id=MANAGER_ID, configurations=RememberedConfigurations(), settings=settings)
        try:
            play(manager, sliced(octets, random), random)
        except Exception as error:
            raise AssertionError(f"ARGUS_FUZZ_SEED={SEED}, number {number} ({name}): {octets.hex()}") from error


def test_random_bytes_sent_in_an_association_end_the_association() -> None:
    for number in range(COUNT // 10):
        random = seeded("noise", number)
        manager = operating_manager(OXIMETER)
        octets = random.randbytes(random.randrange(1, 400))
        play(manager, sliced(octets, random), random)


def test_agent_closes_without_an_exception_after_mutated_manager_messages(
    conversations_to_damage: dict[str, list[bytes]],
) -> None:
    answers = [
        [sample.octets for sample in conversation if sample.name == "manager"]
        for conversation in conversations().values()
    ]
    for number in range(COUNT // 3):
        random = seeded("agent", number)
        agent = AgentAssociation(system_id=AGENT_ID, configurations=(OXIMETER,))
        agent.associate(0.0)
        octets = b"".join(mutated(random.choice(answers), random))
        now_s = 0.0
        for piece in chain(sliced(octets, random), [b""]):
            now_s += 0.1
            agent.receive(piece, now_s)
            if agent.can_confirm:
                readings = (Reading(1, 97.0, minute(1)), Reading(10, 60.0, minute(1)))
                agent.report(fixed_report(OXIMETER, readings), confirmed=True, now_s=now_s)
            agent.to_send()
        assert agent.closed
