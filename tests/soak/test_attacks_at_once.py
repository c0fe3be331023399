"""Issue «Nothing one sender does may stop the others», B and C: all attacks on a running demo, one at a time and
together.

During an attack, the health page of another host must respond within 0.5 s, and a batch of another gateway must be
acknowledged within 5 s. At the end, each confirmed reading of a device is in the cloud exactly once, no process was
restarted, and memory has not grown. With `ARGUS_SOAK=1` all attacks together run for 15 minutes. Without it they run
for seconds, and the response times are only printed.
"""

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from protocols.uplink.lanes import Lane
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.demo import RunningDemo, program, run, start_demo
from tests.harness.process_figures import resident_bytes
from tests.harness.second_gateway import add_gateway, honest_vehicle
from tests.harness.vehicle import Vehicle
from tests.harness.witnesses import in_cloud, witnessed_reports
from tests.soak.attackers import ATTACKS, Attack, Target
from tests.soak.attackers.target import address_of, exchange, http_request

FULL = os.environ.get("ARGUS_SOAK") == "1"
ALONE_S = 10.0 if FULL else 1.0
TOGETHER_S = 900.0 if FULL else 8.0
SETTLE_S = 30.0 if FULL else 8.0
"""Time between the attacks and the demo's end, in which buffered data is delivered."""
HEALTH_S_MAX = 0.5
ACK_S_MAX = 5.0
EVERY_S = 0.5
CANCELLATIONS_MAX = 10
"""Cancellations of a task, one a second. On Python 3.11 one can be lost: `asyncio.wait_for`, which aiomqtt calls,
ignores a cancellation that arrives together with the PUBACK, and the probe would go on until the demo ends."""
PARTS = ("gateway", "cloud", "broker")
GROWTH_MAX = 1.10
"""Limit of the largest memory in the last third of a run, relative to the largest in the second third."""


@dataclass
class Figures:
    """Response times in seconds during one attack, and the memory of each process in bytes; all lists are in order of
    time."""

    health_s: list[float] = field(default_factory=list)
    ack_s: list[float] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=lambda: {part: [] for part in PARTS})


async def probe_health(target: Target, figures: Figures) -> None:
    """Request the health page of the auth host every 0.5 s, each time over a new connection, and record the response
    times."""
    while True:
        begun_s = time.monotonic()
        reply = await exchange(target.auth, http_request("GET", "/health/live", "Connection: close"))
        took_s = time.monotonic() - begun_s
        figures.health_s.append(took_s if reply.startswith(b"HTTP/1.1 200") else math.inf)
        await asyncio.sleep(EVERY_S)


async def probe_batches(vehicle: Vehicle, gateway: GatewayInVehicle, figures: Figures) -> None:
    """Send batches of an honest gateway, each after the cloud has acknowledged the previous one, and record the
    response times."""
    while True:
        begun_s = time.monotonic()
        envelope = gateway.send(97.0)
        await vehicle.publish(envelope)
        while vehicle.through(Lane.NUMERIC) < envelope.batch.sequence:
            await asyncio.sleep(0.02)
            if time.monotonic() - begun_s > 4 * ACK_S_MAX:
                figures.ack_s.append(math.inf)
                return
        figures.ack_s.append(time.monotonic() - begun_s)
        await asyncio.sleep(EVERY_S)


async def sample_memory(demo: RunningDemo, figures: Figures) -> None:
    while True:
        for part in PARTS:
            with suppress(OSError):
                figures.memory[part].append(resident_bytes(demo.pid(part)))
        await asyncio.sleep(EVERY_S)


async def attacked(
    attacks: Sequence[Attack],
    seconds: float,
    demo: RunningDemo,
    target: Target,
    honest: tuple[Vehicle, GatewayInVehicle],
) -> Figures:
    """Run the attacks at the same time for `seconds`; return the response times and the memory measured during them."""
    figures = Figures()
    tasks = [
        *(asyncio.ensure_future(attack(target)) for attack in attacks),
        asyncio.ensure_future(probe_health(target, figures)),
        asyncio.ensure_future(probe_batches(*honest, figures)),
        asyncio.ensure_future(sample_memory(demo, figures)),
    ]
    done, pending = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for _ in range(CANCELLATIONS_MAX):
        for task in pending:
            task.cancel()
        if pending:
            _, pending = await asyncio.wait(pending, timeout=1.0)
    assert not pending, [task.get_coro() for task in pending]
    for task in done:
        task.result()
    return figures


@asynccontextmanager
async def demo_under_attack(
    tmp_path: Path, seconds: float
) -> AsyncIterator[tuple[RunningDemo, Target, tuple[Vehicle, GatewayInVehicle]]]:
    """Run the demo with two further gateways: a stolen one, and an honest one. Yield the demo, the attack's target and
    the honest gateway.

    At the end, check that no process was restarted and that no data was lost.
    """
    stolen = GatewayInVehicle(gateway="gw_stolen", key_seed=66)
    honest = GatewayInVehicle(gateway="gw_honest", key_seed=77)
    demo = await start_demo(tmp_path / "demo", "--for", str(seconds + SETTLE_S), "--seed", "11")
    try:
        passwords = await add_gateway(demo, stolen, honest)
        before = {part: demo.pid(part) for part in PARTS}
        async with honest_vehicle(demo, honest, passwords[honest.gateway]) as vehicle:
            yield demo, target_of(demo, stolen, passwords[stolen.gateway], honest), (vehicle, honest)
        assert {part: demo.pid(part) for part in PARTS} == before, demo.tail()
        assert await demo.ended(within_s=SETTLE_S + 120) == 0, demo.tail()
        await assert_record_is_whole(demo, stolen)
    finally:
        await demo.stop()


async def assert_record_is_whole(demo: RunningDemo, stolen: GatewayInVehicle) -> None:
    """Check that each confirmed reading is in the cloud once, that the chains of the other gateways are complete, and
    that no log has a traceback."""
    rows = await demo.exported()
    answered = witnessed_reports(demo.state_dir / "witness")
    cloud = in_cloud(rows)
    assert len(answered) > 100
    assert {key: cloud[key] for key in answered if cloud[key] != 1} == {}
    for gateway in {row["gateway"] for row in rows} - {stolen.gateway}:
        check = ("custody", "check", "--rows", "--gateway", gateway, "--json")
        await run(program("argus-cloud"), "--config", demo.facts["cloud_config"], *check)
    tracebacks = [log.name for log in (demo.state_dir / "log").glob("*.log") if "Traceback" in log.read_text()]
    assert tracebacks == []


def target_of(demo: RunningDemo, stolen: GatewayInVehicle, password: str, victim: GatewayInVehicle) -> Target:
    facts = demo.facts
    return Target(
        api=address_of(facts["api_url"]),
        auth=address_of(facts["auth_url"]),
        crew=address_of(facts["crew_url"]),
        agents=address_of(facts["agent_tcp"]),
        broker=address_of(facts["mqtt_url"]),
        token=facts["admin_token"],
        client_id=facts["client_id"],
        username=facts["username"],
        tenant_id=facts["tenant_id"],
        victim_gateway=victim.gateway,
        gateway=stolen,
        broker_password=password,
    )


@pytest.mark.broker
@pytest.mark.demo
async def test_honest_clients_are_served_during_each_single_attack(tmp_path: Path):
    async with demo_under_attack(tmp_path, len(ATTACKS) * ALONE_S) as (demo, target, honest):
        found = {name: await attacked([attack], ALONE_S, demo, target, honest) for name, attack in ATTACKS.items()}
    assert_others_were_served(found)


@pytest.mark.broker
@pytest.mark.demo
async def test_honest_clients_are_served_during_all_attacks_at_once(tmp_path: Path):
    async with demo_under_attack(tmp_path, TOGETHER_S) as (demo, target, honest):
        figures = await attacked(list(ATTACKS.values()), TOGETHER_S, demo, target, honest)
    assert_others_were_served({"all together": figures})
    for part, sizes in figures.memory.items():
        print(f"{part}: {sizes[0] / 1e6:.0f} MB before, {max(sizes) / 1e6:.0f} at most, {sizes[-1] / 1e6:.0f} after")
    if FULL:
        assert {part: growth for part, growth in grown(figures.memory).items() if growth > GROWTH_MAX} == {}


def assert_others_were_served(found: dict[str, Figures]) -> None:
    """Print the slowest response times. With the full counts, check them against their limits; otherwise only check
    that each request was made."""
    for name, figures in found.items():
        print(f"{name}: health {max(figures.health_s):.3f} s, acknowledged {max(figures.ack_s):.3f} s")
    health_s_max, ack_s_max = (HEALTH_S_MAX, ACK_S_MAX) if FULL else (math.inf, math.inf)
    assert {name for name, figures in found.items() if not max(figures.health_s) < health_s_max} == set()
    assert {name for name, figures in found.items() if not max(figures.ack_s) < ack_s_max} == set()


def grown(memory: dict[str, list[int]]) -> dict[str, float]:
    """Return, for each process, its largest memory in the last third of the run divided by its largest in the second
    third."""
    return {
        part: max(sizes[2 * len(sizes) // 3 :]) / max(sizes[len(sizes) // 3 : 2 * len(sizes) // 3])
        for part, sizes in memory.items()
    }
