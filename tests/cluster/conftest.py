"""The cluster of all stories, started once with the queues that the product declares, and their PostgreSQL."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from cloud.vehicles.fleet.authority import create_authority
from cloud.vehicles.fleet.rabbitmq_declaration import declare
from tests.harness.fleet_broker import now_us
from tests.harness.postgresql import PostgresqlCluster, postgresql_running
from tests.harness.rabbitmq_cluster import NODES, RabbitmqCluster

QUEUES = 6


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitmqCluster]:
    if os.environ.get("ARGUS_CLUSTER") != "1":
        pytest.skip("three RabbitMQ nodes and a minute: make test-cluster")
    made = RabbitmqCluster(
        tmp_path_factory.mktemp("cluster"), create_authority("aut_1", "Test fleet", now_us()), "the cloud's password"
    )
    try:
        asyncio.run(_start(made))
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlCluster]:
    with postgresql_running() as server:
        yield server


async def _start(cluster: RabbitmqCluster) -> None:
    await cluster.start()
    management = cluster.management()
    try:
        await declare(management, queues=QUEUES, nodes_least=NODES)
    finally:
        await management.close()
