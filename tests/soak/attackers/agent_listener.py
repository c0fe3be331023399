"""Attacks on the TCP listener for 20601 agents, by a machine in the vehicle's network. `tests.tidy.findings` explains
the findings in brackets.
"""

import asyncio
import random
from contextlib import suppress

from protocols.ieee11073.dim.reports import Reading, fixed_report
from simulators.agents.kinds import description_of
from tests.builders.ieee11073_apdus import aarq, config_report, get_response, scan_report
from tests.builders.ieee11073_devices import OXIMETER, minute
from tests.soak.attackers.target import Attack, Connection, Target, exchange, hold_connections

SILENT = 24
INVENTED_A_SECOND = 50
IMPOSTOR_REPORTS = 20


async def silent_connections(target: Target) -> None:
    """Open 24 connections that never send a byte (finding security-8)."""
    await hold_connections(target.agents, SILENT, b"", b"", source=lambda _: "127.0.0.1")


async def slow_apdus(target: Target) -> None:
    """Send association requests, one byte a second, on eight connections."""
    request = aarq(0x4001)
    await hold_connections(target.agents, 8, request[:6], request[6:], source=lambda n: f"127.0.3.{n + 1}")


async def invented_devices(target: Target) -> None:
    """Associate up to fifty times a second, each time under a random System-Id (finding security-9)."""
    dice = random.Random(20601)
    while True:
        await exchange(target.agents, aarq(0x4001, system_id=dice.randbytes(8)))
        await asyncio.sleep(1 / INVENTED_A_SECOND)


async def impostor(target: Target) -> None:
    """Associate under the defibrillator's System-Id from another machine, send a configuration, and then reports with a
    saturation of one per cent (finding security-5)."""
    request = aarq(0x4001, system_id=description_of("defibrillator").system_id)
    values = fixed_report(OXIMETER, [Reading(1, 1.0, minute(0)), Reading(10, 1.0, minute(0))])
    while True:
        connection = await Connection.open(target.agents, source="127.0.4.1")
        if connection is not None:
            for apdu in (request, config_report(OXIMETER), get_response()):
                connection.send(apdu)
                await connection.read()
            for number in range(IMPOSTOR_REPORTS):
                connection.send(scan_report(values, report_no=number, invoke_id=number + 2))
                await connection.read()
                if connection.ended():
                    break
            connection.close()
        await asyncio.sleep(0.5)


async def noise(target: Target) -> None:
    """Send an APDU header with the largest possible length, and random bytes after it."""
    dice = random.Random(11073)
    while True:
        with suppress(OSError):
            await exchange(target.agents, b"\xe7\x00\xff\xff" + dice.randbytes(60_000), source="127.0.5.1")
        await asyncio.sleep(0.1)


AGENT_LISTENER_ATTACKS: dict[str, Attack] = {
    "silent_connections": silent_connections,
    "slow_apdus": slow_apdus,
    "invented_devices": invented_devices,
    "impostor": impostor,
    "noise": noise,
}
