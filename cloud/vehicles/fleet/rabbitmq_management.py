"""Client of RabbitMQ's management API: declare the queues, read their state, and keep the rights of the gateways.

The API is on every node and acts on the whole cluster, so a request goes to the next node when one does not respond.
All changes can be repeated. RabbitMQ stores them itself, on all nodes, so no file has to be copied to the brokers.
"""

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.broker_rights import CLOUD_NAME, CloudLogin
from cloud.vehicles.fleet.cluster_url import ClusterUrl
from cloud.vehicles.fleet.errors import RabbitmqUnusable
from cloud.vehicles.fleet.rabbitmq_topology import GATEWAY_TAG, MQTT_EXCHANGE, VHOST, Rights, gateway_rights
from cloud.vehicles.fleet.settings import MqttSection, RabbitmqSection

REQUEST_S_MAX = 10.0
"""Time for one request to one node. The slowest, declaring a queue on three nodes, takes a second."""
RESPONSE_BYTES_MAX = 64 << 20
"""Size of a response: the rights of 100,000 gateways, ten times the vehicles of one cluster."""
REASON_LENGTH_MAX = 300
"""Characters of RabbitMQ's reason in an error; it is a sentence."""
CHANGES_MAX = 100
"""Gateways changed by one call of `converge`, about a second. The worker reads the admitted gateways again after each,
so a suspended gateway loses its rights soon although a whole fleet is being registered."""

_VHOST = quote(VHOST, safe="")


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node of the cluster. `alarm`: it has too little memory or disk, so RabbitMQ accepts no messages."""

    name: str
    running: bool
    alarm: bool


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue: its messages that ingest has not accepted, its consumers, and the nodes that hold it."""

    name: str
    messages: int
    consumers: int
    leader: str
    members: tuple[str, ...]
    online: tuple[str, ...]


class RabbitmqManagement:
    """Send requests to the management API of a cluster, one at a time. Close it after use."""

    def __init__(self, nodes: ClusterUrl, login: CloudLogin, tls: ssl.SSLContext | None = None) -> None:
        self._urls = list(nodes.of_each_node())
        self._username = login.username
        self._session = aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(login.username, login.password)},
            timeout=aiohttp.ClientTimeout(total=REQUEST_S_MAX),
            connector=aiohttp.TCPConnector(ssl=tls or True, limit=1),
        )

    async def close(self) -> None:
        await self._session.close()

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, absent: bool = False
    ) -> Any:
        """Send a request and return the JSON of the response, or None if it has no content. `absent`: return None also
        when the object does not exist. Raises `RabbitmqUnusable`, also when RabbitMQ refuses the request."""
        reason = ""
        for _ in self._urls:
            url = self._urls[0]
            try:
                status, content = await self._send(method, f"{url}/api{path}", body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = f"({url}: {_text_of(error)})"
                self._urls.append(self._urls.pop(0))  # the next request goes to the node that responds
                continue
            if status < 300:
                return orjson.loads(content) if content else None
            if absent and status == 404:
                return None
            raise RabbitmqUnusable(f"({url} refuses {method} {path}: {status} {_reason_in(content)})")
        raise RabbitmqUnusable(reason)

    async def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"}
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
            content = await response.content.read(RESPONSE_BYTES_MAX + 1)
            while len(content) <= RESPONSE_BYTES_MAX and (more := await response.content.read(RESPONSE_BYTES_MAX)):
                content += more
        if len(content) > RESPONSE_BYTES_MAX:
            raise RabbitmqUnusable(f"({url} sends more than {RESPONSE_BYTES_MAX >> 20} MiB.)")
        return response.status, content

    # ---- state

    async def nodes(self) -> Sequence[NodeState]:
        """Return all nodes that belong to the cluster, also those that do not run. Raises `RabbitmqUnusable`."""
        return [
            NodeState(one["name"], one["running"], bool(one.get("mem_alarm") or one.get("disk_free_alarm")))
            for one in await self.request("GET", "/nodes")
        ]

    async def queue(self, name: str) -> QueueState | None:
        """Return a queue, as of the last five seconds; None if it does not exist. Raises `RabbitmqUnusable`."""
        found = await self.request("GET", f"/queues/{_VHOST}/{quote(name)}", absent=True)
        if found is None:
            return None
        return QueueState(
            name=name,
            messages=found.get("messages", 0),
            # Not `consumers`, which is missing for some time after another node has become the leader.
            consumers=len(found.get("consumer_details", ())),
            leader=found.get("leader", ""),
            members=tuple(sorted(found.get("members", ()))),
            online=tuple(sorted(found.get("online", ()))),
        )

    # ---- rights

    async def gateways(self) -> Mapping[str, Rights | None]:
        """Return the rights of each gateway that has a user in RabbitMQ; None for one without rights. Raises
        `RabbitmqUnusable`."""
        names = {one["name"] for one in await self.request("GET", "/users") if GATEWAY_TAG in one["tags"]}
        objects = {one["user"]: one for one in await self.request("GET", "/permissions") if one["vhost"] == VHOST}
        of_topics = {
            one["user"]: one
            for one in await self.request("GET", "/topic-permissions")
            if one["vhost"] == VHOST and one["exchange"] == MQTT_EXCHANGE
        }
        return {name: _rights_of(objects.get(name), of_topics.get(name)) for name in names}

    async def remove_former_logins(self) -> int:
        """Delete the cloud's users of former passwords, from which their names are derived; return their number. Raises
        `RabbitmqUnusable`."""
        names = [one["name"] for one in await self.request("GET", "/users")]
        former = [name for name in names if name.startswith(f"{CLOUD_NAME}-") and name != self._username]
        for name in former:
            await self.request("DELETE", f"/users/{quote(name)}", absent=True)
        return len(former)

    async def admit(self, gateway: AdmittedGateway) -> None:
        """Create the user of a gateway and its rights. The topics come before the objects: without rights on topics a
        user may use all of them. Raises `RabbitmqUnusable`."""
        name, rights = quote(gateway.gateway_id), gateway_rights(gateway)
        await self.request("PUT", f"/users/{name}", {"password_hash": "", "tags": GATEWAY_TAG})
        topics = {"exchange": MQTT_EXCHANGE, "write": rights.topics_write, "read": rights.topics_read}
        await self.request("PUT", f"/topic-permissions/{_VHOST}/{name}", topics)
        objects = {"configure": rights.configure, "write": rights.write, "read": rights.read}
        await self.request("PUT", f"/permissions/{_VHOST}/{name}", objects)

    async def withdraw(self, gateway_id: str) -> None:
        """Delete the user of a gateway, so that it cannot connect, and end its connection. Raises
        `RabbitmqUnusable`."""
        name = quote(gateway_id)
        await self.request("DELETE", f"/users/{name}", absent=True)
        await self.request("DELETE", f"/connections/username/{name}", absent=True)

    async def converge(self, admitted: Iterable[AdmittedGateway]) -> int:
        """Compare the users in RabbitMQ with `admitted` and change up to `CHANGES_MAX` of them, removals first. Return
        the number of differences that were found. After any, call `converge` again. Raises `RabbitmqUnusable`."""
        wanted = {gateway.gateway_id: gateway for gateway in admitted}
        known = await self.gateways()
        removed = sorted(known.keys() - wanted.keys())
        missing = sorted(name for name, one in wanted.items() if known.get(name) != gateway_rights(one))
        for name in removed[:CHANGES_MAX]:
            await self.withdraw(name)
        for name in missing[: max(0, CHANGES_MAX - len(removed))]:
            await self.admit(wanted[name])
        return len(removed) + len(missing)


def _rights_of(objects: Mapping[str, str] | None, topics: Mapping[str, str] | None) -> Rights | None:
    if objects is None or topics is None:
        return None
    return Rights(objects["configure"], objects["write"], objects["read"], topics["write"], topics["read"])


def _text_of(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _reason_in(content: bytes) -> str:
    """Return RabbitMQ's reason for a refusal, without line breaks."""
    try:
        reason = orjson.loads(content)["reason"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return ""
    return " ".join(str(reason).split())[:REASON_LENGTH_MAX]


@asynccontextmanager
async def manage_rabbitmq(mqtt: MqttSection, rabbitmq: RabbitmqSection) -> AsyncIterator[RabbitmqManagement]:
    """Yield a client of the management API by the settings. Raises `SettingsUnusable`, `RabbitmqUnusable`."""
    management = open_management(mqtt, rabbitmq)
    try:
        yield management
    finally:
        await management.close()


def open_management(mqtt: MqttSection, rabbitmq: RabbitmqSection) -> RabbitmqManagement:
    """Return a client of the management API by the settings; it connects at its first request. Raises
    `SettingsUnusable`, `RabbitmqUnusable`."""
    login, nodes = mqtt.login(), rabbitmq.management()
    assert login is not None, "the settings require a password file"
    try:
        tls = ssl.create_default_context(cafile=mqtt.ca_file) if nodes.secure else None
    except OSError as error:
        raise RabbitmqUnusable(f"({mqtt.ca_file}: {error.strerror or error})") from None
    return RabbitmqManagement(nodes, login, tls)
