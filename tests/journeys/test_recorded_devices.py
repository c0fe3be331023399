"""Argus stores what devices of other manufacturers sent: recordings replayed from a file and over the wire."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.transports.capture import read_capture
from gateway.transports.clock import SystemClock
from gateway.transports.tcp import connect_tcp
from simulators.replay.capture_player import play
from tests.harness.captures import WITH_TRUTH, capture_path, readings_of, truth_of
from tests.harness.eventually import eventually
from tests.harness.gateway_process import vehicle


@pytest.mark.parametrize("known", [(), ("--known-configs", "none")], ids=["known configurations", "none known"])
@pytest.mark.parametrize("name", WITH_TRUTH)
def test_replay_command_prints_exactly_the_recorded_readings(name: str, known: tuple[str, ...]):
    outcome = CliRunner().invoke(app, ["replay", str(capture_path(name)), "--json", *known])
    assert outcome.exit_code == 0, outcome.stderr
    assert readings_of([json.loads(line) for line in outcome.stdout.splitlines()]) == truth_of(name)


@pytest.mark.parametrize("known", [True, False], ids=["known configurations", "none known"])
async def test_readings_of_captures_played_to_the_gateway_are_stored_exactly(tmp_path: Path, known: bool):
    async with vehicle(tmp_path, started=False) as ambulance:
        with ambulance.config.open("a") as settings:
            settings.write(f"[devices]\nknown_configurations = {str(known).lower()}\n")
        await ambulance.start()
        for name in WITH_TRUTH:
            connections = await play(
                read_capture(capture_path(name)), partial(connect_tcp, *ambulance.address), SystemClock(), print
            )
            assert [connection.trouble for connection in connections] == [None], name
        truths = [reading for name in WITH_TRUTH for reading in truth_of(name)]

        async def stored() -> list[dict[str, Any]]:
            rows = (await ambulance.invoke("observations", "--json")).json_lines()
            return rows if len(readings_of(rows)) >= len(truths) else []

        # Unconfirmed reports may not be on the disk yet when the player has ended.
        await eventually(stored, poll_s=0.2, what="as many readings are stored as there are in the captures")
        assert await ambulance.stop() == 0
        rows = (await ambulance.invoke("observations", "--json")).json_lines()
    # The captures' readings in the order in which they were played, each capture's sorted as its truth is.
    for name in WITH_TRUTH:
        assert readings_of(taken_until(rows, len(truth_of(name)))) == truth_of(name), name
    assert rows == []


def taken_until(rows: list[dict[str, Any]], readings: int) -> list[dict[str, Any]]:
    """Remove and return the first rows that together have this number of readings."""
    taken: list[dict[str, Any]] = []
    while rows and len(readings_of(taken)) < readings:
        taken.append(rows.pop(0))
    return taken
