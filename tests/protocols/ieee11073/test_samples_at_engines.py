"""Each sample APDU is received by a manager and by an agent in an association.

Received byte by byte, the APDU has no effect before its last byte; with the last byte it has the effect of the complete
APDU. If a partial APDU follows, the complete one is processed at once. Samples of either role are sent to both ends,
because an end also has defined responses to messages that it does not expect.
"""

from collections.abc import Callable

import pytest

from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.manager import ManagerAssociation
from tests.builders.agent_requests import operating_agent
from tests.builders.ieee11073_corpus import Sample, apdus, conversations
from tests.builders.ieee11073_devices import OXIMETER, operating_manager
from tests.builders.ieee11073_rows import event_text

EVERY = [*apdus(), *(sample for conversation in conversations().values() for sample in conversation)]
DIFFERENT = list({sample.octets: sample for sample in reversed(EVERY)}.values())
AnyAssociation = ManagerAssociation | AgentAssociation
ENDS: dict[str, Callable[[], AnyAssociation]] = {
    "manager": lambda: operating_manager(OXIMETER),
    "agent": lambda: operating_agent(OXIMETER),
}


def after(association: AnyAssociation, pieces: list[bytes]) -> tuple[list[str], bytes, object]:
    """Receive these pieces; return the events, the bytes to send, and the state of the association."""
    told = []
    for piece in pieces:
        for event in association.receive(piece, 1.0):
            association.delivered(event)
            told.append(event_text(event))
    return told, association.to_send(), association.state


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("sample", DIFFERENT, ids=lambda sample: sample.name)
def test_apdu_received_byte_by_byte_takes_effect_with_its_last_byte(end: str, sample: Sample) -> None:
    whole = after(ENDS[end](), [sample.octets])
    association = ENDS[end]()
    octets = [sample.octets[at : at + 1] for at in range(len(sample.octets))]
    assert after(association, octets[:-1]) == ([], b"", ENDS[end]().state)
    assert association.deadline_s is not None  # the wait for the rest is limited
    assert after(association, octets[-1:]) == whole


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("sample", DIFFERENT, ids=lambda sample: sample.name)
def test_complete_apdu_is_processed_immediately_when_a_partial_apdu_follows_it(end: str, sample: Sample) -> None:
    whole = after(ENDS[end](), [sample.octets])
    association = ENDS[end]()
    assert after(association, [sample.octets + b"\xe7\x00\x00"]) == whole
    assert association.receive(b"", 1.0)[-1:] != []
    assert association.deadline_s is None
