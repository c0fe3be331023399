"""Issue «20601: complete», G: a thousand serial links and a thousand TCP links break in every way, in real time.

Four serial and four TCP devices run at the same time, and each link breaks again as soon as it is established. `make
test` runs the same test with fifty links and a clock that the test moves
(tests/gateway/sessions/association/test_reconnection). `ARGUS_SEED` repeats a run.
"""

import asyncio
import os
import random
import statistics
import tracemalloc
from pathlib import Path

import pytest

from tests.builders.gateway_sessions import sessions
from tests.harness.process_figures import resident_bytes
from tests.harness.serial_and_tcp_breaks import Breaks, acknowledged_values, break_serial, break_tcp, held
from tests.harness.serial_socket import SerialSocket

FULL = os.environ.get("ARGUS_SOAK") == "1"
DEVICES = 4
"""Number of devices of each kind."""
WARM_UP, ROUNDS = 25, 250
MEDIAN_S_MAX = 3.0
OCTETS_A_LINK_MAX = 250
"""Limit of the bytes that remain for each link: caches that are still being filled, and cancelled timers that are
not due yet. If sessions leaked, a hundred times as many would remain."""


@pytest.mark.skipif(not FULL, reason="by the clock, for minutes: make soak; the story itself is in make test")
async def test_two_thousand_broken_links_reconnect_within_three_seconds_without_leaking_resources(tmp_path: Path):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed}")
    sockets = [SerialSocket(tmp_path / f"socket{number}") for number in range(DEVICES)]
    serial = [Breaks(number) for number in range(1, DEVICES + 1)]
    tcp = [Breaks(number) for number in range(DEVICES + 1, 2 * DEVICES + 1)]
    tracemalloc.start()
    async with sessions(tmp_path, serial=[each.path for each in sockets]) as gateway:
        for rounds in (WARM_UP, ROUNDS):
            before, resident_before = await held(gateway), resident_bytes()
            async with asyncio.TaskGroup() as tasks:
                for number in range(DEVICES):
                    dice = random.Random(f"{seed} {number}")
                    tasks.create_task(break_serial(sockets[number], serial[number], rounds, dice))
                    tasks.create_task(break_tcp(gateway.address, tcp[number], rounds, dice))
        after, resident_after = await held(gateway), resident_bytes()
        for breaks in (*serial, *tcp):
            assert len(breaks.measured) == WARM_UP + ROUNDS
            assert await acknowledged_values(gateway, breaks.number) == breaks.measured
    tracemalloc.stop()

    for name, devices in (("serial", serial), ("TCP", tcp)):
        back_s = sorted(time_s for each in devices for time_s in each.back_s[WARM_UP:])
        median_s = statistics.median(back_s)
        print(f"{name}: {len(back_s)} reconnections, median {median_s:.3f} s, longest {back_s[-1]:.3f} s")
        assert median_s < MEDIAN_S_MAX
    links = 2 * DEVICES * ROUNDS
    octets = after.octets - before.octets
    print(
        f"{links} links: tasks {before.tasks} → {after.tasks}, descriptors {before.descriptors} → {after.descriptors}, "
        f"{octets} octets more ({octets / links:.1f} a link), resident {resident_before / 1e6:.1f} → "
        f"{resident_after / 1e6:.1f} MB"
    )
    assert after.tasks <= before.tasks
    assert after.descriptors <= before.descriptors
    assert octets < links * OCTETS_A_LINK_MAX, after.more_than(before)
