"""Devices that others built and recorded: what they sent is what Argus holds, by file and over the wire."""

import json
from pathlib import Path

import pytest

from tests.harness.captures import WITH_TRUTH, capture_path, readings_of, truth_of
from tests.harness.demo import program, run
from tests.harness.gateway_process import vehicle


@pytest.mark.parametrize("known", [(), ("--known-configs", "none")], ids=["known configurations", "none known"])
@pytest.mark.parametrize("name", WITH_TRUTH)
async def test_a_replayed_capture_gives_exactly_the_truth(name: str, known: tuple[str, ...]):
    text = await run(program("argus-gateway"), "replay", str(capture_path(name)), "--json", *known)
    assert readings_of([json.loads(line) for line in text.splitlines()]) == truth_of(name)


@pytest.mark.parametrize("known", [True, False], ids=["known configurations", "none known"])
async def test_captures_played_at_the_listener_are_stored_exactly(tmp_path: Path, known: bool):
    paths = {name: capture_path(name) for name in WITH_TRUTH}
    async with vehicle(tmp_path, started=False) as ambulance:
        with ambulance.config.open("a") as settings:
            settings.write(f"[devices]\nknown_configurations = {str(known).lower()}\n")
        await ambulance.start()
        address = ":".join(map(str, ambulance.address))
        before = 0
        for name, path in paths.items():
            await run(program("argus-sim"), "play", str(path), "--tcp", address)
            rows = (await ambulance.command("observations", "--json")).json_lines()
            assert readings_of(rows[before:]) == truth_of(name), name
            before = len(rows)
        assert await ambulance.stop() == 0
