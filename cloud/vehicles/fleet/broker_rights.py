"""The rights of mosquitto's clients, in the format of its dynamic-security plugin. What is not listed is denied.

mosquitto's own access lists do not check subscriptions, and one SUBSCRIBE packet can cost the broker hundreds of
megabytes. The plugin knows clients by their exact user name and has no patterns for names, so each gateway has a role
with its exact topics.

Two names are chosen for protection:
- The name of a role contains a digest of the role's topics. A gateway whose rights change gets a role with another
  name, and the former role stays in the running broker. No role is ever deleted while mosquitto runs, because
  mosquitto 2.0 crashes when a client is deleted after its role.
- The user name of the cloud is derived from its password, so it cannot be guessed. All listeners share one list, and
  on the vehicles' listener the common name of a certificate is the user name: an imported authority could issue a
  certificate for a guessable name, and the certificate would have the cloud's rights.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from protocols.uplink import topics
from protocols.uplink.lanes import Lane

CONTROL_TOPIC = "$CONTROL/dynamic-security/v1"
"""Topic of the plugin's commands. Only the cloud may publish there."""
RESPONSE_TOPIC = f"{CONTROL_TOPIC}/response"
CLOUD_NAME = "argus-cloud"
"""Prefix of the cloud's user name. No gateway may have an id that begins with it."""
CLOUD_ROLE = "cloud"
HASH_ITERATIONS = 101
"""PBKDF2 rounds of the password hash, mosquitto's own number. The password is random, so rounds protect nothing, and
mosquitto serves no other client while it computes them."""
SALT_BYTES = 12
"""Length that the plugin requires."""

_SEND, _RECEIVE = "publishClientSend", "publishClientReceive"
_SUBSCRIBE, _SUBSCRIBE_PATTERN = "subscribeLiteral", "subscribePattern"

Entry = Mapping[str, Any]
"""A role or a client as JSON, for the plugin's file and for its commands."""


@dataclass(frozen=True, slots=True)
class CloudLogin:
    """The cloud's user name and password at the broker."""

    username: str
    password: str = field(repr=False)


def cloud_username(password: str) -> str:
    """Return the cloud's user name at the broker, derived from its password. It does not disclose the password."""
    return f"{CLOUD_NAME}-{_derive(b'name', password)[:16].hex()}"


def gateway_role(gateway: AdmittedGateway) -> Entry:
    """Return a gateway's role for mosquitto's dynamic-security plugin. The role allows publishing the status and the
    batches of each lane (numeric, waveform, event, epcr), and subscribing to acknowledgements and commands."""
    tenant, name = gateway.tenant_id, gateway.gateway_id
    down = (topics.ack(tenant, name), topics.command(tenant, name))
    rights = [
        *(_allow(_SEND, topics.up(tenant, name, lane)) for lane in Lane),
        _allow(_SEND, topics.status(tenant, name)),
        *(_allow(_RECEIVE, topic) for topic in down),
        *(_allow(_SUBSCRIBE, topic) for topic in down),
    ]
    return {"rolename": f"{name}#{hashlib.sha256(orjson.dumps(rights)).hexdigest()[:16]}", "acls": rights}


def gateway_client(gateway: AdmittedGateway, role: Entry) -> Entry:
    """Return a gateway's client entry for mosquitto's dynamic-security plugin. The entry has no password: a certificate
    or a password file authenticates the gateway."""
    return {"username": gateway.gateway_id, "roles": [{"rolename": role["rolename"]}]}


def rights_file(login: CloudLogin | None, gateways: Iterable[AdmittedGateway]) -> bytes:
    """Return the JSON file of mosquitto's dynamic-security plugin; equal input gives equal bytes. `login` None leaves
    out the cloud's client."""
    admitted = sorted(gateways)
    roles = [gateway_role(gateway) for gateway in admitted]
    clients = [] if login is None else [_cloud_client(login)]
    clients += map(gateway_client, admitted, roles)
    defaults = {_SEND: False, _RECEIVE: False, "subscribe": False, "unsubscribe": True}
    document = {"defaultACLAccess": defaults, "clients": clients, "groups": [], "roles": [_cloud_role(), *roles]}
    return orjson.dumps(document)


def _cloud_role() -> Entry:
    subscriptions = (topics.UP_FILTER, topics.STATUS_FILTER)
    rights = [
        _allow(_SEND, CONTROL_TOPIC),
        _allow(_SEND, f"{topics.ROOT}/+/+/down/+"),
        _allow(_SEND, topics.STATUS_FILTER),
        *(_allow(_RECEIVE, each) for each in (topics.UP_FILTER, topics.STATUS_FILTER, RESPONSE_TOPIC)),
        _allow(_SUBSCRIBE, RESPONSE_TOPIC),
        *(_allow(_SUBSCRIBE_PATTERN, each) for each in subscriptions),
    ]
    return {"rolename": CLOUD_ROLE, "acls": rights}


def _cloud_client(login: CloudLogin) -> Entry:
    # The salt follows from the password, so that the file stays the same as long as the password does.
    salt = _derive(b"salt", login.password)[:SALT_BYTES]
    hashed = hashlib.pbkdf2_hmac("sha512", login.password.encode(), salt, HASH_ITERATIONS)
    return {
        "username": login.username,
        "password": base64.b64encode(hashed).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": HASH_ITERATIONS,
        "roles": [{"rolename": CLOUD_ROLE}],
    }


def _allow(kind: str, topic: str) -> Entry:
    return {"acltype": kind, "topic": topic, "allow": True}


def _derive(purpose: bytes, password: str) -> bytes:
    return hashlib.sha256(b"argus broker " + purpose + b"\0" + password.encode()).digest()
