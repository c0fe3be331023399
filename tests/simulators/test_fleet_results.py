"""The result of a fleet: differences between its stores and the cloud, storms, and the limit of open files."""

import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocols.uplink.lanes import Lane
from simulators.fleet import app as fleet_app
from simulators.fleet.app import DESCRIPTORS_BESIDE, DESCRIPTORS_PER_VEHICLE, Fleet, FleetOptions, allow_descriptors
from simulators.fleet.comparison import Comparison, compare_lanes, compare_rows
from simulators.fleet.connections import cut_connections
from simulators.fleet.plan import FleetUnusable, load_or_make, occupied
from simulators.fleet.profiles import ProfileName
from simulators.fleet.summary import Summary
from simulators.fleet.vehicle import Vehicle, make_vehicle
from tests.builders.fleet import NOWHERE, vehicle_open
from tests.harness.backlog import is_growing

WHOLE = Summary(
    vehicles=2,
    profile="full",
    seconds=10.0,
    drain_s=0.5,
    storms=1,
    reconnections=2,
    batches_sent=110,
    batches_acknowledged=100,
    batches_left=0,
    batches_pending=3,
    batches_pending_max=7,
    batches_dropped=0,
    observations_recorded=1_500,
    observations_acknowledged=1_500,
    observations_left=0,
    payload_bytes=160_000,
    envelope_bytes_sent=184_000,
    ack_ms_p50=12.0,
    ack_ms_p99=60.0,
    ack_ms_max=None,
    event_ack_ms_p99=31.0,
    late_s_max=0.25,
    processor_s=1.05,
    comparison=Comparison(6, None, ()),
)


def lane_row(vehicle: Vehicle, lane: Lane, through: int, **other: Any) -> dict[str, Any]:
    """Return a row as `argus-cloud ingest lanes` prints it."""
    row = {"ahead": "", "missing": None, "repeated_measurements": 0}
    return {
        "gateway": vehicle.gateway,
        "epoch": vehicle.buffer.epoch,
        "lane": lane.value,
        "through": through,
        **row,
        **other,
    }


async def test_lost_early_and_repeated_batches_are_differences(tmp_path: Path) -> None:
    async with vehicle_open(tmp_path / "one") as vehicle:
        await vehicle.append_event("device.connected")
        assert compare_lanes([vehicle], [lane_row(vehicle, Lane.EVENT, 1)]) == []
        lost = "gw_test_1 event: the cloud holds batches up to 0, the vehicle has 1"
        assert compare_lanes([vehicle], []) == [lost]
        (doubled,) = compare_lanes([vehicle], [lane_row(vehicle, Lane.EVENT, 2)])
        assert "up to 2, the vehicle has 1" in doubled
        for other in ({"ahead": "3-4"}, {"missing": "1"}, {"repeated_measurements": 2}):
            (difference,) = compare_lanes([vehicle], [lane_row(vehicle, Lane.EVENT, 1, **other)])
            assert "missing, early or repeated" in difference


async def test_rows_of_the_cloud_are_compared_with_the_recorded_observations(tmp_path: Path) -> None:
    async with vehicle_open(tmp_path / "one") as vehicle:
        vehicle.recorded[Lane.NUMERIC] = 5
        row = {"gateway_id": vehicle.gateway, "epoch": vehicle.buffer.epoch, "lane": "numeric"}
        assert compare_rows([vehicle], [{**row, "observations": 5}]) == (5, [])
        rows, (difference,) = compare_rows([vehicle], [{**row, "observations": 4}])
        assert rows == 4
        assert difference == "gw_test_1 numeric: the cloud has 4 observations, the vehicle recorded 5"
        vehicle.is_new = False  # an earlier run recorded the rest
        assert compare_rows([vehicle], [{**row, "observations": 9}]) == (0, [])


def test_summary_names_what_an_operator_sizes_a_machine_by() -> None:
    text = "\n".join(WHOLE.lines())
    for fact in (
        "2 (full) for 10 s, 0.5 s to drain",
        "1,500 recorded, 1,500 acknowledged, 0 left",
        "110 sent, 100 acknowledged, 0 left, 0 dropped; at most 7 pending",
        "5.0 batches and 8,000 bytes of payload a second",
        "12 / 60 / – ms (p50 / p99 / longest); events 31 ms (p99)",
        "1 storms, 2 reconnections",
        "0.10 cores, reports at most 0.25 s late",
        "6 lanes: nothing is lost and nothing is doubled",
    ):
        assert fact in text
    assert WHOLE.is_whole
    assert WHOLE.document()["whole"] is True


def test_run_with_data_left_dropped_or_different_is_not_whole() -> None:
    different = replace(WHOLE, comparison=Comparison(6, 10, tuple(f"lane {n}" for n in range(25))))
    assert not replace(WHOLE, batches_left=1).is_whole
    assert not replace(WHOLE, batches_dropped=1).is_whole
    assert not different.is_whole
    assert [line for line in different.lines() if "lane " in line][19:] == ["DIFFERENCE       lane 19"]
    assert different.lines()[-1].strip() == "and 5 more"
    assert replace(WHOLE, comparison=None).is_whole
    assert "not with the cloud" in replace(WHOLE, comparison=None).lines()[-1]


@contextmanager
def connected_pair() -> Iterator[tuple[socket.socket, socket.socket, int]]:
    """Yield both ends of a TCP connection, and the port of the listening end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as client, closing(server.accept()[0]) as accepted:
            yield client, accepted, port


def test_storm_cuts_only_the_connections_to_the_broker() -> None:
    with connected_pair() as (client, broker, port), connected_pair() as (other, far, _):
        assert cut_connections(port) == 1
        assert broker.recv(1) == b""
        assert client.recv(1) == b""
        assert client.fileno() >= 0
        other.sendall(b"x")
        assert far.recv(1) == b"x"


def test_fleet_that_needs_more_files_than_allowed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []
    allowed = 10 * DESCRIPTORS_PER_VEHICLE + DESCRIPTORS_BESIDE
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64, allowed))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limit: limits.append((which, limit)))
    allow_descriptors(10)
    assert limits == [(resource.RLIMIT_NOFILE, (allowed, allowed))]
    with pytest.raises(FleetUnusable, match="start at most 10, or raise the limit"):
        allow_descriptors(11)


async def test_fleet_that_cannot_connect_reports_how_many_vehicles_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_app, "CONNECT_S", 0.0)
    with occupied(tmp_path / "state"):
        plan = load_or_make(tmp_path / "state", 1)
        make_vehicle(plan.folder(plan.vehicles[0]), plan.vehicles[0].gateway_id, 1)
        options = FleetOptions(broker_url=NOWHERE, profile=ProfileName.VITALS)
        fleet = Fleet(plan, plan.vehicles, options, None, lambda line: None)
        with pytest.raises(ExceptionGroup) as caught:
            await fleet.run()
    assert caught.group_contains(FleetUnusable, match="1 of 1 vehicles did not exchange marks with the cloud")


def test_backlog_that_only_fluctuates_does_not_grow() -> None:
    assert not is_growing([0, 500, 300, *(90, 110) * 300], 100)
    assert not is_growing([4_000 - 10 * second for second in range(300)], 100)


@pytest.mark.parametrize("too_slow", [0.015, 0.1, 1.0])
def test_backlog_of_a_cloud_that_is_too_slow_grows(too_slow: float) -> None:
    batches_per_s = 2 * 100
    assert is_growing([round(80 + too_slow * batches_per_s * second) for second in range(600)], 100)
