"""Exchanges, queues and rights in RabbitMQ, as its management API takes them.

A batch comes by MQTT into `amq.topic`, goes on to a consistent-hash exchange, and from there into one of several quorum
queues. The routing key names gateway and lane, so all batches of a lane are in one queue, in order. A queue has one
active consumer at a time, so the order is kept up to ingest. Statuses go the same way.

- A quorum queue confirms a batch when a majority of its nodes has written it to disk.
- `x-delivery-limit` -1: RabbitMQ would drop a batch that ingest returned 20 times, for instance because the database
  was unavailable for a while.
- A full queue rejects (`reject-publish`), so the gateway learns that its batch was not taken and keeps it. Dropping
  would look like a confirmed batch that never arrives.

Rights: each gateway is a user without a password, since its certificate authenticates it. The rights name its tenant
and its own topics, and the queue by which RabbitMQ carries out its subscriptions. What they do not name is denied.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.broker_rights import CloudLogin
from protocols.uplink import topics
from protocols.uplink.lanes import Lane

VHOST = "/"
"""The virtual host that RabbitMQ makes at its first start. Our cluster serves nothing else."""
MQTT_EXCHANGE = "amq.topic"
"""The exchange into which RabbitMQ's MQTT plugin publishes, and to which it binds subscriptions."""
EXCHANGE = "argus.up"
HASH_EXCHANGE_TYPE = "x-consistent-hash"
QUEUE_BYTES_MAX = 256 << 20
"""Bytes of one queue: of 16 queues together 4 GiB on each node, which 1,000 vehicles fill in 18 minutes without ingest.
A gateway has at most 2 MiB in flight, so 1,000 of them fill half of it and then keep their batches."""
GATEWAY_TAG = "argus-gateway"
"""Tag of the users that the cloud manages. It gives no rights in RabbitMQ; users without the tag are left alone."""
PASSWORD_SALT_BYTES = 4
"""Length that RabbitMQ's hash `rabbit_password_hashing_sha256` has."""

Body = Mapping[str, Any]


class Rights(NamedTuple):
    """The rights of one user, as regular expressions: on objects, and on topics of `MQTT_EXCHANGE`."""

    configure: str
    write: str
    read: str
    topics_write: str
    topics_read: str


def routing_key(topic: str) -> str:
    """Return the routing key (or the binding key of a filter) that the MQTT plugin makes of a topic."""
    return topic.replace("/", ".").replace("+", "*")


def topic_of(routing_key: str) -> str:
    """Return the MQTT topic of a routing key. Valid identifiers have no dots."""
    return routing_key.replace(".", "/")


def queue_names(count: int) -> tuple[str, ...]:
    return tuple(f"{EXCHANGE}.{number:02}" for number in range(count))


def queue_body() -> Body:
    """Return the properties of each queue."""
    return {
        "durable": True,
        "auto_delete": False,
        "arguments": {
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": -1,
            "x-queue-leader-locator": "balanced",
            "x-max-length-bytes": QUEUE_BYTES_MAX,
            "x-overflow": "reject-publish",
        },
    }


def exchange_body() -> Body:
    return {"type": HASH_EXCHANGE_TYPE, "durable": True, "auto_delete": False, "internal": False, "arguments": {}}


def source_bindings() -> tuple[str, ...]:
    """Return the binding keys from `MQTT_EXCHANGE` to `EXCHANGE`: batches and statuses of all gateways."""
    return routing_key(topics.UP_FILTER), routing_key(topics.STATUS_FILTER)


def gateway_rights(gateway: AdmittedGateway) -> Rights:
    """Return the rights of a gateway: to publish its batches and its status, and to subscribe to its acknowledgements
    and commands."""
    tenant, name = gateway.tenant_id, gateway.gateway_id
    own_queue = f"mqtt-subscription-{name}qos[01]"
    objects = f"^({MQTT_EXCHANGE.replace('.', '[.]')}|{own_queue})$"
    return Rights(
        configure=f"^{own_queue}$",
        write=objects,
        read=objects,
        topics_write=_one_of([*(topics.up(tenant, name, lane) for lane in Lane), topics.status(tenant, name)]),
        topics_read=_one_of([topics.ack(tenant, name), topics.command(tenant, name)]),
    )


def _one_of(of_topics: Iterable[str]) -> str:
    """Return a regular expression that matches exactly the routing keys of these topics, in which only dots have a
    meaning."""
    return f"^({'|'.join(routing_key(topic).replace('.', '[.]') for topic in of_topics)})$"


def definitions_file(login: CloudLogin) -> bytes:
    """Return the definitions that each node reads at its start: the virtual host, and the cloud's user with its
    password's hash. A file with a user also keeps RabbitMQ from creating its default user `guest`."""
    # The salt follows from the password, so that the file stays the same as long as the password does.
    salt = hashlib.sha256(b"argus rabbitmq salt\0" + login.password.encode()).digest()[:PASSWORD_SALT_BYTES]
    hashed = base64.b64encode(salt + hashlib.sha256(salt + login.password.encode()).digest()).decode()
    user = {
        "name": login.username,
        "password_hash": hashed,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"],
        "limits": {},
    }
    rights = {"user": login.username, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"}
    document = {"users": [user], "vhosts": [{"name": VHOST}], "permissions": [rights]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)
