"""Declare the exchange, the queues and their bindings in a RabbitMQ cluster, and put each queue on every node.

The order matters: a queue is declared when all nodes run, because RabbitMQ gives it members only on nodes that it
knows then, and `amq.topic` is bound last, so that no batch arrives before there is a queue for it. Everything can be
repeated; what exists already is only compared.
"""

from dataclasses import dataclass
from urllib.parse import quote

from cloud.vehicles.fleet.errors import RabbitmqIncomplete
from cloud.vehicles.fleet.rabbitmq_management import RabbitmqManagement
from cloud.vehicles.fleet.rabbitmq_topology import (
    EXCHANGE,
    MQTT_EXCHANGE,
    VHOST,
    exchange_body,
    queue_body,
    queue_names,
    source_bindings,
)

MEMBERS_MAX = 5
"""Nodes that hold one queue. Each further one costs every batch a write; five survive the loss of two."""

_VHOST = quote(VHOST, safe="")


@dataclass(frozen=True, slots=True)
class Declared:
    """The result of a declaration: the running nodes, the queues, how many of them got a member on another node, the
    queues that were removed, and the number of the cloud's users of former passwords that were deleted."""

    nodes: int
    queues: int
    grown: int
    removed: tuple[str, ...]
    former_logins: int


async def declare(management: RabbitmqManagement, *, queues: int, nodes_least: int) -> Declared:
    """Declare everything that ingest uses. Queues beyond `queues` are removed; their batches are resent by the
    gateways, because they are not acknowledged. Raises `RabbitmqIncomplete` when fewer nodes run than `nodes_least` or
    the members of a queue are not complete, and `RabbitmqUnusable`."""
    nodes = sorted(node.name for node in await management.nodes() if node.running)
    if len(nodes) < nodes_least:
        raise RabbitmqIncomplete(f"({len(nodes)} nodes run and --nodes is {nodes_least}.)")
    names = queue_names(queues)
    await management.request("PUT", f"/exchanges/{_VHOST}/{quote(EXCHANGE)}", exchange_body())
    for name in names:
        await management.request("PUT", f"/queues/{_VHOST}/{quote(name)}", queue_body())
    grown = sum([await _grow(management, name, nodes[:MEMBERS_MAX]) for name in names])
    bound = {
        one["destination"]
        for one in await management.request("GET", f"/exchanges/{_VHOST}/{quote(EXCHANGE)}/bindings/source")
    }
    for name in sorted(set(names) - bound):
        path = f"/bindings/{_VHOST}/e/{quote(EXCHANGE)}/q/{quote(name)}"
        await management.request("POST", path, {"routing_key": "1", "arguments": {}})
    removed = tuple(sorted(bound - set(names)))
    for name in removed:
        await management.request("DELETE", f"/queues/{_VHOST}/{quote(name)}", absent=True)
    for key in source_bindings():
        path = f"/bindings/{_VHOST}/e/{quote(MQTT_EXCHANGE)}/e/{quote(EXCHANGE)}"
        await management.request("POST", path, {"routing_key": key, "arguments": {}})
    await management.request("POST", "/rebalance/queues", {})
    return Declared(len(nodes), len(names), grown, removed, await management.remove_former_logins())


async def _grow(management: RabbitmqManagement, name: str, nodes: list[str]) -> bool:
    """Give a queue a member on each of these nodes; return whether one was missing."""
    state = await management.queue(name)
    if state is None:
        raise RabbitmqIncomplete(f"({name} has vanished again.)")
    missing = [node for node in nodes if node not in state.members] if len(state.members) < len(nodes) else []
    for node in missing:
        await management.request("POST", f"/queues/quorum/{_VHOST}/{quote(name)}/replicas/add", {"node": node})
    return bool(missing)
