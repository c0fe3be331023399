"""The capture player adapts a capture to a live manager: to the manager's invoke-ids, to a request for the
configuration, and to silence.
"""

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from gateway.transports.capture import Capture, read_capture
from gateway.transports.clock import SystemClock
from gateway.transports.tcp import connect_tcp
from protocols.ieee11073.apdu import encode_apdu
from protocols.ieee11073.apdu.association import DATA_PROTO_NONE, Aare, AssociateResult, DataProto
from simulators.replay.capture_player import Played, play
from tests.builders.sim_capture import oximeter_capture
from tests.builders.sim_manager import SimManager, sim_manager
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock
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


async def played(capture: Capture, manager: SimManager, told: list[str] | None = None) -> list[Played]:
    tell = (told if told is not None else []).append
    return await play(capture, partial(connect_tcp, *manager.address), SystemClock(), tell)


def values(manager: SimManager) -> list[tuple[int, object]]:
    return [(seen.channel.handle, seen.value) for seen in manager.stored]


async def test_capture_player_sends_the_configuration_only_when_the_manager_does_not_know_it() -> None:
    recorded_with_it, recorded_without = oximeter_capture(known=False), oximeter_capture(known=True)
    for accept, capture, sent in (
        (True, recorded_with_it, False),
        (False, recorded_with_it, True),
        (True, recorded_without, False),
        (False, recorded_without, True),  # not in the capture: the standard's own is sent
    ):
        async with sim_manager(accept_standard_configurations=accept) as manager:
            (connection,) = await played(capture, manager)
            assert (connection.trouble, connection.configuration_sent) == (None, sent)
            assert connection.acknowledged == 2
            assert values(manager) == [(1, 97.0), (10, 70.0), (1, 96.0), (10, 71.0)]
            assert manager.released


@pytest.mark.parametrize("overlapping", [True, False])
async def test_capture_player_replays_every_connection_of_a_capture_to_its_end(overlapping: bool) -> None:
    async with sim_manager() as manager:
        connections = await played(oximeter_capture(conns=(1, 2, 3), overlapping=overlapping), manager)
        assert [(each.conn, each.acknowledged, each.trouble) for each in connections] == [
            (conn, 2, None) for conn in (1, 2, 3)
        ]
        assert len(manager.stored) == 12


async def test_capture_recorded_byte_by_byte_is_replayed() -> None:
    async with sim_manager() as manager:
        (connection,) = await played(oximeter_capture(profile="byte_by_byte"), manager)
        assert (connection.acknowledged, connection.trouble) == (2, None)


async def test_log_of_the_capture_player_contains_no_measured_value() -> None:
    told: list[str] = []
    async with sim_manager() as manager:
        await played(oximeter_capture(), manager, told)
    assert told[0] == "conn 1 → AARQ (54 octets)"
    assert told[1].startswith("conn 1 ← AARE accepted")
    assert told[-1] == "conn 1 over: 5 APDUs sent, 2 reports acknowledged, 0 refused, 0 unacknowledged"


async def test_replayed_reports_refused_by_a_manager_with_a_full_store_are_counted() -> None:
    async with sim_manager() as manager:
        manager.full = True
        (connection,) = await played(oximeter_capture(), manager)
        assert (connection.acknowledged, connection.refused) == (0, 2)


async def test_replay_to_a_silent_manager_ends_after_ten_seconds_with_an_explanation() -> None:
    clock = MovedClock()
    async with sim_manager() as manager:
        manager.mute = True
        playing = asyncio.create_task(play(oximeter_capture(), partial(connect_tcp, *manager.address), clock))

        async def over() -> bool:
            await clock.advance(1.0)
            return playing.done()

        await eventually(over)
        (connection,) = playing.result()
        assert connection.trouble == "the manager did not answer within 10 s"
        assert connection.acknowledged == 0


async def test_replay_to_a_closed_port_raises_connection_refused() -> None:
    async with sim_manager() as manager:
        await manager.kill()
        with pytest.raises(ConnectionRefusedError):
            await played(oximeter_capture(conns=(1, 2)), manager)


@pytest.mark.parametrize("known", [True, False], ids=["known", "asked"])
@pytest.mark.parametrize("name", CAPTURES)
async def test_every_capture_of_an_independent_agent_is_replayed_to_its_end(name: str, known: bool) -> None:
    capture = read_capture(shared_path(f"data/captures/{name}.jsonl"))
    async with sim_manager(accept_standard_configurations=known) as manager:
        (connection,) = await played(capture, manager)
        assert connection.trouble is None
        assert connection.unacknowledged == connection.refused == 0
        await eventually(lambda: len(manager.stored) > 0)
        truth = capture.meta.get("truth")
        if truth is not None:
            times = [seen.device_time.text() for seen in manager.stored if seen.device_time is not None]
            assert sorted(set(times)) == [moment["time"] for moment in truth]
        extended = name == "synth_ecg_rtsa"
        assert connection.configuration_sent is (extended or not known)


@pytest.mark.finding("edge-check-6")
async def test_capture_player_reports_a_refusal_of_reports_that_the_recorded_manager_accepted() -> None:
    capture = oximeter_capture(known=True)
    async with sim_manager() as manager:
        manager.full = True
        (connection,) = await played(capture, manager)
        assert (connection.acknowledged, connection.refused) == (0, 2)
        assert connection.trouble == "the manager refused a report that the recorded one had taken"


@pytest.mark.finding("edge-check-6")
async def test_capture_player_reports_an_accepted_association_that_the_recorded_manager_rejected() -> None:
    capture = oximeter_capture(known=True)
    rejected = Aare(AssociateResult.REJECTED_PERMANENT, DataProto(DATA_PROTO_NONE, b""))
    records = [
        replace(each, octets=encode_apdu(rejected)) if each.octets[:2] == b"\xe3\x00" else each
        for each in capture.records
    ]
    async with sim_manager() as manager:
        (connection,) = await played(replace(capture, records=records), manager)
        assert connection.trouble == "the manager granted the association, and the recorded one rejected it"
