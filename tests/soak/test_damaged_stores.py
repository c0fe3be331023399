"""Issue 11, D: bytes change at seeded places of a filled store, and a real gateway starts on it each time.

It serves a device, shows the crew page, reports to `doctor`, and accounts for every batch. `ARGUS_SOAK=1`: 500 places;
without it a few, so that the story itself stays true. `ARGUS_DAMAGE_SEED` begins elsewhere.
"""

import asyncio
import os
import shutil
from pathlib import Path

import aiohttp
import pytest

from simulators.demo.free_ports import free_port
from tests.builders.gateway_device import device
from tests.harness.damaged_gateway_store import KINDS, account_of, harm, pristine
from tests.harness.gateway_process import Vehicle

PLACES = 500 if os.environ.get("ARGUS_SOAK") == "1" else 3
FIRST_SEED = int(os.environ.get("ARGUS_DAMAGE_SEED", "1000"))


@pytest.mark.finding("reliability-A1")
def test_a_real_gateway_serves_on_whatever_its_store_has_become(tmp_path: Path) -> None:
    folder = tmp_path / "pristine"
    folder.mkdir()
    store = asyncio.run(pristine(folder))
    print(f"seeds from {FIRST_SEED}")
    lost = set_aside = 0
    for number in range(PLACES):
        kind, seed = KINDS[number % len(KINDS)], FIRST_SEED + number // len(KINDS)
        folder = tmp_path / "harmed"
        what = harm(store, folder, kind, seed)
        port = free_port()
        vehicle = Vehicle(folder, more_settings=f'[crew]\nlisten = "127.0.0.1:{port}"\n')
        asyncio.run(serve(vehicle, port, what))
        account = asyncio.run(account_of(store, folder, what))
        assert account.still_records, account
        assert account.missing == 0, account
        assert account.records == account.set_aside <= 1, account
        assert account.doctor or not (account.set_aside or account.lost), account
        assert account.lost == 0 or kind != "free", account
        lost, set_aside = lost + account.lost, set_aside + account.set_aside
        shutil.rmtree(folder)
    print(f"{PLACES} places: {set_aside} stores set aside, {lost} batches lost, each with its gap record")


async def serve(vehicle: Vehicle, port: int, what: str) -> None:
    """Start the gateway on the harmed store, use it, and stop it in order."""
    await vehicle.start()
    try:
        async with device(vehicle.address) as thermometer:
            assert await thermometer.measure(36.6) == "answered", what
        url = f"http://127.0.0.1:{port}/sign-in"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 200, what
        status = await vehicle.status()
        assert status["store"]["state"] == "ok", what
        finished = await vehicle.command("doctor")
        said = " ".join(finished.out.split())
        assert "set aside" in said if status["store"]["set_aside"] else "Traceback" not in finished.err, what
    finally:
        assert await vehicle.stop() == 0, what
