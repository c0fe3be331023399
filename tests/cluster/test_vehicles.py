"""Issue «Storage and ingest for a thousand vehicles», C, with the whole product: the uplinks of simulated vehicles send
signed batches of all their lanes, and two ingest processes stage and pack them in an object store and index them in
PostgreSQL, while each node of the cluster is killed and comes back. What is lost, and in which order batches came, is
read from the cloud's stores.
"""

import json
import logging
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from tests.builders.cloud_settings import settings_file
from tests.cluster.conftest import QUEUES
from tests.cluster.running_fleet import begin_cloud, broker_findings, command, running_fleet
from tests.cluster.stored_arrivals import stored_arrivals
from tests.cluster.test_kills import restarted
from tests.harness.cloud_process import serving
from tests.harness.failover import failover
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.rabbitmq_cluster import RabbitmqCluster


async def test_fleet_is_stored_whole_and_in_order_while_each_node_and_an_ingest_process_are_killed(
    cluster: RabbitmqCluster, postgresql_server: PostgresqlCluster, tmp_path: Path
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    ports = [node.layout.vehicles_port for node in cluster.nodes]
    async with AsyncExitStack() as stack:
        url = stack.enter_context(postgresql_server.database(template="template0"))
        objects = tmp_path / "objects"
        more = f'objects_dir = "{objects}"\n[secrets]\nmaster_key_file = "master.key"\n'
        more += cluster.settings_lines(queues=QUEUES)
        config = settings_file(tmp_path, database_url=url, more=more)
        await begin_cloud(tmp_path, cluster)
        assert json.loads(await command(tmp_path, "broker declare --json"))["queues"] == QUEUES
        assert (await broker_findings(tmp_path))["broker queues"][0] == "fault"  # no ingest process receives yet

        await stack.enter_async_context(serving(config, "--only", "worker"))
        first = await stack.enter_async_context(serving(config, "--only", "ingest"))
        second = await stack.enter_async_context(serving(config, "--only", "ingest"))
        entrance = await stack.enter_async_context(failover(ports))
        async with running_fleet(config, cluster, entrance.port) as fleet:
            whole = await broker_findings(tmp_path)
            for node in cluster.nodes:
                cluster.kill(node)
                await fleet.flows()
                if node is cluster.nodes[1]:
                    first.process.kill()
                    await fleet.flows()
                degraded = await broker_findings(tmp_path)
                await restarted(cluster, node)
                await command(tmp_path, "broker declare")  # so that the node leads queues again
                await fleet.flows()
        stored = await stored_arrivals(url, objects)
        second.process.terminate()
        assert await second.process.wait() == 0
    print(whole, degraded, *stored.lines(), sep="\n")
    fleet.assert_whole()
    assert second.events()[-1] == "cloud.stopped"
    assert [line for line in second.lines if line["level"] == "error"] == []
    assert degraded["broker cluster"][0] == degraded["broker"][0] == "warning"
    assert {whole[part][0] for part in ("broker", "broker cluster", "broker queues", "broker rights")} == {"ok"}
    assert "2 ingest processes" in whole["broker queues"][1]
    assert "1 ingest processes" in degraded["broker queues"][1]
    vehicles = [vehicle.gateway_id for vehicle in fleet.plan.vehicles]
    assert stored.live_lanes >= {(vehicle, lane) for vehicle in vehicles for lane in ("numeric", "waveform", "event")}
    assert stored.packed_lanes >= {(vehicle, "waveform") for vehicle in vehicles}
    assert "numeric" in {lane for _, lane in stored.packed_lanes}, "numerics of these days are packed only if staged"
    stored.assert_whole_and_in_order()
