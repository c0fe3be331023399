"""Issue «The crew's page», B: nothing that a tablet got acknowledged is lost when the gateway is killed at any moment.

Two tablets write into one report while the gateway is killed (SIGKILL) at random moments. In half of the cases the end
of the store's log is torn as well: bytes of a frame that was never completed follow the last commit, as after a power
cut. The tablets send again what they had no response for. At the end the report is signed; each change is in its log
exactly once, and the seal covers the log. `make test` has the same in a browser with one kill
(`tests/gateway/crew/test_call_over_tls.py`).
"""

import asyncio
import os
import random
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.buffer.care_changes import changes_after
from gateway.buffer.store_reader import StoreReader
from gateway.security.crew_members import CrewMember
from gateway.security.identity import Identity
from gateway.settings import load
from protocols.epcr.change import FieldChange
from protocols.epcr.crew_role import CrewRole
from protocols.epcr.seal import SealVerdict, check_seal
from simulators.demo.free_ports import free_port
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle, provisioned_vehicle
from tests.harness.report_tablets import ENCOUNTER, Tablet

SHARDS = 6
KILLS = 50
"""Kills of one shard. Six reports instead of one or two, since each start reads the whole log, and after each the whole
record is compared."""
KILLED_WITHIN_S = 0.6
TORN_BYTES_MAX = 5_000
"""More than one frame of SQLite's log, 4,120 bytes."""


class Typist:
    """A tablet that writes one value after the other, and sends a value again until it has a response."""

    def __init__(self, tablet: Tablet, name: str) -> None:
        self._tablet = tablet
        self._name = name
        self._numbers = count(1)
        self.acknowledged: list[str] = []
        self._pending: dict[str, Any] | None = None

    async def write(self) -> None:
        """Write until cancelled or until the gateway does not respond."""
        while True:
            if self._pending is None:
                number = next(self._numbers)
                self._pending = {
                    "id": f"{self._name}-{number}",
                    "key": "vitals.spo2",
                    "entry": f"{self._name}-{number}",
                    "value": str(number % 101),
                }
            try:
                reply = await self._tablet.append(self._pending)
            except (aiohttp.ClientError, OSError):
                return
            assert reply.status in (200, 503), reply
            if reply.status == 200:
                self.acknowledged.append(str(self._pending["id"]))
                self._pending = None


async def is_served(tablet: Tablet) -> bool:
    try:
        return (await tablet.get("/drafts")).status == 200
    except (aiohttp.ClientError, OSError):
        return False


def tear(store: Path, rng: random.Random) -> None:
    """Append the beginning of a frame that was never completed to the store's log."""
    log = store.with_name(store.name + "-wal")
    if log.exists():
        with log.open("ab") as file:
            file.write(rng.randbytes(rng.randrange(1, TORN_BYTES_MAX)))


def stored_changes(vehicle: Vehicle) -> tuple[list[FieldChange], bytes]:
    """Return the log of the report in the store, and the gateway's public key."""
    settings = load(vehicle.config)
    identity = Identity.load(settings.identity_dir)
    reader = StoreReader(settings.store_path, gateway=identity.gateway, key=identity.store_key)
    changes: list[FieldChange] = []
    through = 0
    while True:
        after, page = changes_after(reader, through)
        if after == through:
            break
        through = after
        changes += page
    reader.close()
    return changes, identity.signing_key.public_key().public_bytes_raw()


@pytest.mark.skipif(os.environ.get("ARGUS_SOAK") != "1", reason="make soak ONLY=reports")
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_every_acknowledged_change_is_in_the_sealed_report_after_kills_at_random_moments(
    shard: int, tmp_path: Path
):
    seed = int(os.environ.get("ARGUS_SEED") or random.SystemRandom().randrange(1_000_000))
    rng = random.Random(f"{seed}/{shard}")
    print(f"ARGUS_SEED={seed}")
    port = free_port()
    vehicle = Vehicle(tmp_path, more_settings=f'[crew]\nlisten = "127.0.0.1:{port}"\nlock_after_s = 3600\n')
    jar = aiohttp.CookieJar(unsafe=True)
    async with provisioned_vehicle(vehicle, started=False), aiohttp.ClientSession(cookie_jar=jar) as session:
        added = await vehicle.invoke("crew", "add", "usr_17", "--name", "Anna", "--role", "paramedic", "--json")
        member = CrewMember(id="usr_17", name="Anna", role=CrewRole.PARAMEDIC, pin=added.json()["pin"])
        tablet = Tablet(session, f"http://127.0.0.1:{port}", pin=(vehicle.state_dir / "crew.pin").read_text().strip())
        await vehicle.start()
        await eventually(lambda: is_listening(port))
        await tablet.sign_in(member)
        assert (await tablet.open_report()).status == 200
        typists = [Typist(tablet, "anna"), Typist(tablet, "ewa")]
        for _ in range(KILLS):
            async with asyncio.TaskGroup() as group:
                for typist in typists:
                    group.create_task(typist.write())
                await asyncio.sleep(rng.uniform(0.0, KILLED_WITHIN_S))
                await vehicle.kill()
            if rng.random() < 0.5:
                tear(load(vehicle.config).store_path, rng)
            await vehicle.start()
            await eventually(lambda: is_served(tablet))
            entries = {field["entry"] for field in (await tablet.record())["fields"]}
            for typist in typists:
                assert set(typist.acknowledged) <= entries
        assert (await tablet.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 200
        await vehicle.stop()
        changes, public_key = stored_changes(vehicle)
    ids = [change.id for change in changes]
    assert len(ids) == len(set(ids))
    assert {one for typist in typists for one in typist.acknowledged} <= set(ids)
    assert check_seal(ENCOUNTER, changes, public_key) is SealVerdict.INTACT
    print(f"{sum(len(typist.acknowledged) for typist in typists)} changes acknowledged, {KILLS} kills")


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
