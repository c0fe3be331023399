"""Issue 11, D: bytes of a filled store are changed at places chosen by a seed, and a real gateway starts on each
damaged store.

The gateway must accept a device, show the crew page, report the damage in `doctor`, and account for every batch. With
`ARGUS_SOAK=1` there are 50 places for each kind of damage; otherwise one place each for three kinds.
`ARGUS_DAMAGE_SEED` is the first seed.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import aiohttp
import pytest

from simulators.demo.free_ports import free_port
from tests.builders.gateway_device import device
from tests.harness.damaged_gateway_store import KINDS, Pristine, account_of, harm, pristine
from tests.harness.gateway_process import Vehicle

SOAK = os.environ.get("ARGUS_SOAK") == "1"
PLACES = 50 if SOAK else 1
FIRST_SEED = int(os.environ.get("ARGUS_DAMAGE_SEED", "1000"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    return asyncio.run(pristine(tmp_path_factory.mktemp("pristine")))


@pytest.mark.finding("reliability-A1")
@pytest.mark.parametrize("kind", KINDS if SOAK else KINDS[:3])
def test_gateway_process_starts_and_records_with_a_damaged_store(store: Pristine, tmp_path: Path, kind: str) -> None:
    lost = set_aside = 0
    for seed in range(FIRST_SEED, FIRST_SEED + PLACES):
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
    # To stderr: a worker of pytest-xdist has no other output.
    counts = f"{set_aside} stores set aside, {lost} batches lost, each with its gap record"
    print(f"{PLACES} places of {kind} from seed {FIRST_SEED}: {counts}", file=sys.stderr)


async def serve(vehicle: Vehicle, port: int, what: str) -> None:
    """Start the gateway on the damaged store; check a device, the crew page, the status and `doctor`; and stop it.
    `what` describes the damage in failures."""
    await vehicle.start()
    try:
        async with device(vehicle.address) as thermometer:
            assert await thermometer.measure(36.6) == "answered", what
        url = f"http://127.0.0.1:{port}/sign-in"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.status == 200, what
        status = await vehicle.status()
        assert status["store"]["state"] == "ok", what
        finished = await vehicle.invoke("doctor")
        said = " ".join(finished.out.split())
        assert "set aside" in said if status["store"]["set_aside"] else "Traceback" not in finished.err, what
    finally:
        assert await vehicle.stop() == 0, what
