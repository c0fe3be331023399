"""The manager's responses to recorded agents equal the responses of the recorded manager, byte for byte.

The recorded manager is the C stack Antidote. DIFFERENT lists the responses that differ and why Argus' response is
right. The messages of a capture are played in the recorded order. Argus' manager has the system id of the recorded
manager, and releases the association where the recorded operator did.
"""

import json
from typing import NamedTuple

import pytest

from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.association.states import State
from tests.builders.ieee11073_apdus import rlrq
from tests.builders.ieee11073_captures import records
from tests.harness.shared import shared_path

CAPTURES = (
    "agent_vs_settime",
    "config_bloodpressure_02bc",
    "config_oximeter_0190",
    "config_oximeter_0191",
    "end_agent_abort",
    "end_agent_drop",
    "end_manager_release",
    "known_bloodpressure_02bc",
    "known_oximeter_0190",
    "known_oximeter_0191",
    "neg_byte_by_byte",
    "neg_two_apdus_one_segment",
    "synth_ecg_rtsa",
)
GET_MDS = bytes.fromhex("E700000E 000C 0000 0103 0006 0000 0000 0000")
SET_TIME = bytes.fromhex("E700001A 0018 0017 0107 0012 0000 0C17 000C 2024050607080900 00000000")


class Difference(NamedTuple):
    """The APDUs of a capture that only one of the two managers sends, and the reason for the difference."""

    only_ours: tuple[bytes, ...] = ()
    only_theirs: tuple[bytes, ...] = ()
    why: str = ""


NEVER_ASKED = Difference(
    only_ours=(GET_MDS,),
    why="after entering Operating a manager normally reads the MDS (§9.1); this recording's was not told to",
)
DIFFERENT = {
    "end_manager_release": NEVER_ASKED,
    "neg_byte_by_byte": NEVER_ASKED,
    "neg_two_apdus_one_segment": NEVER_ASKED,
    "agent_vs_settime": Difference(
        only_ours=(GET_MDS,),
        only_theirs=(SET_TIME,),
        why="a clock is set only when its device says that it can (§6), so the MDS is read first; theirs was made to",
    ),
}


NO_CLOCK = b"\xff\xff\xff\xff"


def with_time_zero(octets: bytes) -> bytes:
    """Set currentTime to 0 in a recorded response to a confirmed report, because Argus' manager sends 0. Return any
    other APDU unchanged.

    The recorded manager sends the value for "no relative clock". The reference (20601 §5) requires 0 or the manager's
    relative time, as in its examples E6 and E11. No agent reads the field.
    """
    if octets[8:10] != b"\x02\x01":
        return octets
    assert octets[14:18] == NO_CLOCK
    return octets[:14] + bytes(4) + octets[18:]


def recorded(name: str) -> list[tuple[str, bytes]]:
    return records(shared_path(f"data/captures/{name}.jsonl"))


def ours_and_theirs(name: str) -> tuple[list[bytes], list[bytes]]:
    """Play a capture; return the APDUs sent by Argus' manager and those sent by the recorded manager, each in order."""
    said = recorded(name)
    theirs = [octets for who, octets in said if who == "manager"]
    accepted = theirs[0]
    manager = ManagerAssociation(
        system_id=accepted[30:38],
        configurations=RememberedConfigurations(),
        settings=ManagerSettings(accept_standard_configurations=accepted[4:6] == b"\x00\x00"),
    )
    stream, ours = ApduStream(), []
    for number, (who, octets) in enumerate(said):
        now_s = number / 10
        if who == "agent":
            for event in manager.receive(octets, now_s):
                manager.delivered(event)
        elif octets == rlrq():
            manager.release(now_s)
        ours += stream.feed(manager.to_send())
    assert manager.state is State.UNASSOCIATED or name.startswith("neg_") or name == "end_agent_drop"
    return ours, theirs


@pytest.mark.parametrize("name", CAPTURES)
def test_manager_responses_equal_the_recorded_responses_except_for_listed_differences(name: str) -> None:
    ours, theirs = ours_and_theirs(name)
    different = DIFFERENT.get(name, Difference())
    assert [octets for octets in ours if octets in different.only_ours] == list(different.only_ours)
    assert [octets for octets in theirs if octets in different.only_theirs] == list(different.only_theirs)
    assert [octets.hex() for octets in ours if octets not in different.only_ours] == [
        with_time_zero(octets).hex() for octets in theirs if octets not in different.only_theirs
    ]


def test_every_recorded_manager_response_is_compared_by_a_test() -> None:
    paths = shared_path("data/captures").glob("*.jsonl")
    assert {path.stem for path in paths} == set(CAPTURES)
    answers = sum(who == "manager" for name in CAPTURES for who, _ in recorded(name))
    assert answers == sum(
        json.loads(line).get("dir") == "manager->agent"
        for path in shared_path("data/captures").glob("*.jsonl")
        for line in path.read_text().splitlines()
    )
