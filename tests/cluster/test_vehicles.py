"""The whole product on the cluster: simulated vehicles, two ingest processes and a worker; a node is killed and stays
away, so this is the last story on the cluster."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import load_or_make, occupied
from simulators.fleet.profiles import ProfileName
from tests.builders.cloud_settings import settings_file
from tests.cluster.conftest import QUEUES
from tests.harness.cloud_process import serving
from tests.harness.failover import failover
from tests.harness.postgresql import PostgresqlCluster, postgresql_running
from tests.harness.rabbitmq_cluster import RabbitmqCluster
from tests.harness.shell import typed

VEHICLES = 8
REPORT_S = 25.0
SETTLE_S = 4.0
"""Time of undisturbed reports before and after each kill."""
DRAIN_S = 120.0


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlCluster]:
    with postgresql_running() as server:
        yield server


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


async def test_fleet_is_stored_whole_although_a_node_and_an_ingest_process_are_killed(
    cluster: RabbitmqCluster, postgresql_server: PostgresqlCluster, tmp_path: Path
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    authority = cluster.authority
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "ca.key").write_bytes(authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    ports = [node.layout.vehicles_port for node in cluster.nodes]
    async with AsyncExitStack() as stack:
        url = stack.enter_context(postgresql_server.database(template="template0"))
        more = '[secrets]\nmaster_key_file = "master.key"\n' + cluster.settings_lines(queues=QUEUES)
        config = settings_file(tmp_path, database_url=url, more=more)
        await command(tmp_path, "init")
        await command(tmp_path, "broker authority import --certificate ca.pem --key ca.key")
        assert json.loads(await command(tmp_path, "broker declare --json"))["queues"] == QUEUES
        assert (await broker_findings(tmp_path))["broker queues"][0] == "fault"  # no ingest process receives yet

        await stack.enter_async_context(serving(config, "--only", "worker"))
        first = await stack.enter_async_context(serving(config, "--only", "ingest"))
        second = await stack.enter_async_context(serving(config, "--only", "ingest"))
        entrance = await stack.enter_async_context(failover(ports))
        options = FleetOptions(
            broker_url=f"mqtts://127.0.0.1:{entrance.port}",
            ca_file=cluster.ca_file,
            profile=ProfileName.VITALS,
            for_s=REPORT_S,
            drain_s=DRAIN_S,
            rows=True,
        )
        stack.enter_context(occupied(tmp_path / "fleet"))
        plan = load_or_make(tmp_path / "fleet", VEHICLES)
        fleet = Fleet(plan, plan.vehicles, options, Console(config), print)
        await fleet.register(None)
        begun = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(fleet.run(begun.set))
            await begun.wait()
            await asyncio.sleep(SETTLE_S)
            whole = await broker_findings(tmp_path)
            cluster.kill(cluster.nodes[0])
            await asyncio.sleep(SETTLE_S)
            first.process.kill()
            await asyncio.sleep(SETTLE_S)
            degraded = await broker_findings(tmp_path)
        summary = running.result()
        second.process.terminate()
        assert await second.process.wait() == 0
    print("\n".join(summary.lines()))
    print(whole, degraded, sep="\n")
    assert summary.is_whole
    assert second.events()[-1] == "cloud.stopped"
    assert [line for line in second.lines if line["level"] == "error"] == []
    assert summary.observations_acknowledged == summary.observations_recorded
    assert summary.comparison is not None
    assert summary.comparison.rows == summary.observations_recorded
    assert degraded["broker cluster"][0] == degraded["broker"][0] == "warning"
    assert {whole[part][0] for part in ("broker", "broker cluster", "broker queues", "broker rights")} == {"ok"}
    assert "2 ingest processes" in whole["broker queues"][1]
    assert "1 ingest processes" in degraded["broker queues"][1]
