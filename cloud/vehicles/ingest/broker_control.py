"""Change the rights of clients in a running mosquitto, by commands of its dynamic-security plugin.

mosquitto reads the rights file only when it starts. After each later change and each new connection, `RightsLink`
compares the rights in mosquitto with the gateways that may use it, and sends the differences in small chunks: mosquitto
handles no other client while it executes a command, 70 ms with 10,000 gateways.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import structlog

from cloud.vehicles.fleet import CONTROL_TOPIC, RESPONSE_TOPIC, AdmittedGateway, gateway_client, gateway_role
from cloud.vehicles.ingest.broker import BrokerAddress, BrokerUnavailable
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
from protocols.uplink.mqtt_packets import ReceivedMessage

log = structlog.get_logger()

RESPONSE_S_MAX = 10.0
"""Time to wait for the response to one message. The slowest command takes mosquitto 0.2 s."""
PAGE_CLIENTS = 500
"""Clients of one page of the list: 100 kB, a tenth of the largest packet."""
PAGES_MAX = 200
"""Pages of one list: 100,000 clients, more than the broker has descriptors for."""
CHANGES_MAX = 50
"""Changes of one comparison. The worker reads the admitted gateways again after each, so a gateway that is suspended
while a whole fleet is being registered loses its rights after one chunk."""

Command = Mapping[str, Any]


class BrokerRights:
    """Send commands of mosquitto's dynamic-security plugin over one connection, one request at a time."""

    def __init__(self, address: BrokerAddress) -> None:
        self._cloud = address.username
        self._correlation = ""
        self._response: asyncio.Future[Sequence[Mapping[str, Any]]] | None = None
        self.connection: BrokerConnection

    @classmethod
    async def open(cls, address: BrokerAddress) -> "BrokerRights":
        """Connect to mosquitto and subscribe to the responses of its dynamic-security plugin. Raises
        `BrokerUnavailable`, also if the broker refuses."""
        rights = cls(address)
        rights.connection = await BrokerConnection.open(
            address,
            client_id=f"argus-rights-{secrets.token_hex(8)}",
            settings=IngestSettings(),
            heard=lambda _, message: rights._take(message),
        )
        if not await rights.connection.subscribe(RESPONSE_TOPIC):
            await rights.connection.close()
            raise BrokerUnavailable("mosquitto does not let the cloud change rights")
        return rights

    async def clients(self) -> Mapping[str, frozenset[str]]:
        """Return a mapping from the user name of each client in mosquitto to the names of the client's roles. The
        cloud's own client is left out. Raises `BrokerUnavailable`."""
        known: dict[str, frozenset[str]] = {}
        for page in range(PAGES_MAX):
            wanted = {"command": "listClients", "verbose": True, "count": PAGE_CLIENTS, "offset": page * PAGE_CLIENTS}
            (response,) = await self._request([wanted])
            listed = response["data"]["clients"]
            known |= {one["username"]: frozenset(role["rolename"] for role in one["roles"]) for one in listed}
            if len(listed) < PAGE_CLIENTS:
                break
        known.pop(self._cloud or "", None)
        return known

    async def withdraw(self, gateway_id: str) -> None:
        """Delete a gateway's client, which revokes its rights and ends its connection. Raises `BrokerUnavailable`."""
        await self._request([_delete(gateway_id)])

    async def converge(self, admitted: Iterable[AdmittedGateway]) -> int:
        """Compare mosquitto's clients with `admitted` and send up to `CHANGES_MAX` changes, removals first. Return the
        number of differences that were found. After any, call `converge` again. Raises `BrokerUnavailable`."""
        wanted = {gateway.gateway_id: gateway for gateway in admitted}
        roles = {name: frozenset([gateway_role(gateway)["rolename"]]) for name, gateway in wanted.items()}
        known = await self.clients()
        stale = sorted(name for name, held in known.items() if roles.get(name) != held)
        missing = sorted(name for name, role in roles.items() if known.get(name) != role)
        changes = [*([_delete(name)] for name in stale), *(_create(wanted[name]) for name in missing)]
        loop = asyncio.get_running_loop()
        for change in changes[:CHANGES_MAX]:
            begun_s = loop.time()
            await self._request(change)
            await asyncio.sleep(loop.time() - begun_s)  # gives the other clients as much time
        return len(changes)

    async def close(self) -> None:
        await self.connection.close()

    async def _request(self, commands: Sequence[Command]) -> Sequence[Mapping[str, Any]]:
        """Send commands to mosquitto in one message and return the responses; mosquitto executes no other commands
        between them. An error in a response is ignored, because the next comparison of rights finds what still differs.
        Raises `BrokerUnavailable`."""
        self._correlation = secrets.token_hex(8)
        response: asyncio.Future[Sequence[Mapping[str, Any]]] = asyncio.get_running_loop().create_future()
        self._response = response
        document = {"commands": [{**command, "correlationData": self._correlation} for command in commands]}
        if not await self.connection.publish(CONTROL_TOPIC, orjson.dumps(document)):
            raise BrokerUnavailable("mosquitto does not let the cloud change rights")
        await asyncio.wait(
            (response, self.connection.ended), timeout=RESPONSE_S_MAX, return_when=asyncio.FIRST_COMPLETED
        )
        if response.done():
            return response.result()
        if self.connection.ended.done():
            self.connection.ended.result()
        raise BrokerUnavailable("mosquitto sends no response to a change of rights; has it the plugin?")

    def _take(self, message: ReceivedMessage) -> None:
        """Handle a response of mosquitto's dynamic-security plugin. Ignore responses to other processes of the cloud,
        which arrive on the same topic."""
        self.connection.puback(message)
        try:
            responses = orjson.loads(message.payload)["responses"]
            ours = bool(responses) and all(one.get("correlationData") == self._correlation for one in responses)
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            return
        if ours and self._response is not None and not self._response.done():
            self._response.set_result(responses)


@asynccontextmanager
async def broker_rights(address: BrokerAddress) -> AsyncIterator[BrokerRights]:
    """Connect to mosquitto and yield the connection for rights commands. Raises `BrokerUnavailable`."""
    rights = await BrokerRights.open(address)
    try:
        yield rights
    finally:
        await rights.close()


class RightsLink:
    """Keep the rights in a running mosquitto consistent with the gateways that may use it."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._rights: BrokerRights | None = None
        self._applied: Sequence[AdmittedGateway] | None = None
        self._failing = False

    async def apply(self, admitted: Sequence[AdmittedGateway]) -> int:
        """Send mosquitto at most one chunk of the changes that make its rights match `admitted`, and return the number
        of differences that were found. After a comparison without any, compare again only when `admitted` is another
        object or the connection is new. A failure is logged once, and the next call tries again."""
        found = 0
        try:
            if self._rights is None or self._rights.connection.ended.done():
                self._rights, self._applied = await BrokerRights.open(self._address), None
            if self._applied is not admitted:
                found = await self._rights.converge(admitted)
                self._applied = None if found else admitted
        except BrokerUnavailable as error:
            if not self._failing:
                log.error("broker.rights_not_sent", why=str(error))
            self._failing = True
            await self.close()
            return 0
        self._failing = False
        return found

    async def close(self) -> None:
        rights, self._rights = self._rights, None
        if rights is not None:
            await rights.close()


def _delete(gateway_id: str) -> Command:
    return {"command": "deleteClient", "username": gateway_id}


def _create(gateway: AdmittedGateway) -> Sequence[Command]:
    role = gateway_role(gateway)
    return [{**role, "command": "createRole"}, {**gateway_client(gateway, role), "command": "createClient"}]
