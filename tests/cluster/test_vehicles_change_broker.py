"""Issue «Storage and ingest for a thousand vehicles», G, at small size: an installation with mosquitto moves to the
RabbitMQ cluster as the guide describes ("Moving from mosquitto"), while its vehicles go on recording.
"""

import json
import logging
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from tests.builders.cloud_settings import settings_file
from tests.cluster.conftest import QUEUES
from tests.cluster.running_fleet import VEHICLES, begin_cloud, broker_findings, command, running_fleet
from tests.cluster.stored_arrivals import stored_arrivals
from tests.harness.cloud_process import serving
from tests.harness.failover import failover
from tests.harness.fleet_broker import FleetBroker
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.rabbitmq_cluster import RabbitmqCluster


async def test_vehicles_lose_nothing_when_their_installation_moves_from_mosquitto_to_the_cluster(
    cluster: RabbitmqCluster, postgresql_server: PostgresqlCluster, tmp_path: Path
) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    objects = tmp_path / "objects"
    kept = f'objects_dir = "{objects}"\n[secrets]\nmaster_key_file = "master.key"\n'
    mosquitto = FleetBroker(tmp_path / "mosquitto", cluster.authority)
    async with AsyncExitStack() as stack:
        url = stack.enter_context(postgresql_server.database(template="template0"))
        config = settings_file(tmp_path, database_url=url, more=kept + mosquitto.settings_lines())
        await begin_cloud(tmp_path, cluster)
        stack.push_async_callback(mosquitto.kill)
        await mosquitto.start()
        before = await stack.enter_async_context(serving(config, "--only", "worker"))
        receiving_before = await stack.enter_async_context(serving(config, "--only", "ingest"))
        # The name of the broker, which the vehicles keep.
        entrance = await stack.enter_async_context(failover([mosquitto.layout.vehicles_port]))
        async with running_fleet(config, cluster, entrance.port) as fleet:
            settings_file(tmp_path, database_url=url, more=kept + cluster.settings_lines(queues=QUEUES))
            assert json.loads(await command(tmp_path, "broker declare --json"))["queues"] == QUEUES
            for served in (receiving_before, before):
                served.process.terminate()
                assert await served.process.wait() == 0
            await stack.enter_async_context(serving(config, "--only", "worker"))
            receiving = await stack.enter_async_context(serving(config, "--only", "ingest"))
            entrance.point_to([node.layout.vehicles_port for node in cluster.nodes])
            await mosquitto.kill()
            await fleet.flows()
            findings = await broker_findings(tmp_path)
        stored = await stored_arrivals(url, objects)
    print(findings, *stored.lines(), sep="\n")
    fleet.assert_whole()
    assert fleet.summary.reconnections >= VEHICLES
    assert [line for line in receiving.lines if line["level"] == "error"] == []
    assert {findings[part][0] for part in ("broker", "broker cluster", "broker queues", "broker rights")} == {"ok"}
    stored.assert_whole_and_in_order()
