"""A cloud with a settings file, and simulated vehicles that record and send all lanes while a story goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import FleetPlan, load_or_make, occupied
from simulators.fleet.profiles import ProfileName
from simulators.fleet.summary import Summary
from tests.harness.eventually import eventually
from tests.harness.rabbitmq_cluster import RabbitmqCluster
from tests.harness.shell import typed

VEHICLES = 8
FLOWING_S = 5
"""Successive seconds with few pending batches, before and after each kill."""
FLOWING_BATCHES_MAX = 4 * VEHICLES
"""Pending batches of all vehicles while the cloud acknowledges them: two live lanes of each, cut once a second."""
STALL_S_MAX = 120.0
DRAIN_S = 120.0


async def command(folder: Path, words: str) -> str:
    """Run a command of the console with the settings of the folder; return its output."""
    code, out, errors = await typed(f"argus-cloud --config cloud.toml {words}", folder)
    assert code == 0, f"{words}: {errors}"
    return out


async def broker_findings(folder: Path) -> dict[str, Any]:
    """Return level and sentence of each of the doctor's findings about the broker."""
    _, out, errors = await typed("argus-cloud --config cloud.toml doctor --json", folder)
    assert out, errors
    found = json.loads(out)
    return {one["part"]: (one["level"], one["sentence"]) for one in found if one["part"].startswith("broker")}


async def begin_cloud(folder: Path, cluster: RabbitmqCluster) -> None:
    """Make the database and the master key of a cloud, and import the authority of the cluster's certificates."""
    authority = cluster.authority
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    (folder / "ca.key").write_bytes(authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    await command(folder, "init")
    await command(folder, "broker authority import --certificate ca.pem --key ca.key")


@dataclass
class RunningFleet:
    """The vehicles of a story. `summary` is there when it is over: what they sent, compared with the cloud."""

    plan: FleetPlan
    _fleet: Fleet
    _summary: Summary | None = None

    async def flows(self) -> None:
        """Wait until the cloud has acknowledged the batches of all vehicles for some seconds that have not begun
        yet."""
        seen = len(self._fleet.pending)

        def has_few_pending() -> bool:
            newest = list(self._fleet.pending)[seen:][-FLOWING_S:]
            return len(newest) == FLOWING_S and max(newest) <= FLOWING_BATCHES_MAX

        await eventually(has_few_pending, within_s=STALL_S_MAX, poll_s=0.2, what="the cloud acknowledges all batches")

    @property
    def summary(self) -> Summary:
        assert self._summary is not None, "the story goes on"
        return self._summary

    def assert_whole(self) -> None:
        """Fail if the cloud lacks a batch or a row, or has one twice."""
        summary = self.summary
        assert summary.is_whole
        assert summary.observations_acknowledged == summary.observations_recorded
        assert summary.comparison is not None
        assert summary.comparison.rows == summary.observations_recorded


@asynccontextmanager
async def running_fleet(config: Path, cluster: RabbitmqCluster, port: int) -> AsyncIterator[RunningFleet]:
    """Register vehicles with the cloud of the settings file `config`, and let them send to `port` inside the block,
    from the time at which all is acknowledged. At its end they send the rest, and are compared with the cloud."""
    folder = config.parent / "fleet"
    options = FleetOptions(
        broker_url=f"mqtts://127.0.0.1:{port}",
        ca_file=cluster.ca_file,
        profile=ProfileName.FULL,
        drain_s=DRAIN_S,
        rows=True,
    )
    with occupied(folder):
        plan = load_or_make(folder, VEHICLES)
        fleet = Fleet(plan, plan.vehicles, options, Console(config), print)
        await fleet.register(None)
        begun = asyncio.Event()
        found = RunningFleet(plan, fleet)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(fleet.run(begun.set))
            await begun.wait()
            await found.flows()
            yield found
            fleet.stop()
        found._summary = running.result()
        print("\n".join(found.summary.lines()))
