"""Topics of MQTT messages, `argus/v1/{tenant}/{gateway}/…` (DESIGN D4), built and parsed in one place.

A gateway publishes to `up/{lane}` and `status` and subscribes to `down/…`, only below its own tenant and name; the
broker's access rules enforce this. Both sides check identifiers, so that no tenant can be named `+` or `a/b`.
"""

import re
from functools import lru_cache

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.lanes import Lane
from protocols.uplink.limits import IDENTIFIER_LENGTH_MAX

ROOT = "argus/v1"

UP_FILTER = f"{ROOT}/+/+/up/+"
"""Topic filter of every batch of every gateway: the cloud's subscription."""

STATUS_FILTER = f"{ROOT}/+/+/status"
"""Topic filter of every gateway's retained status."""

TOPICS_CACHED = 16_384
"""Topics of batches that are kept: those of as many lanes. A topic has 150 characters at most."""

IDENTIFIER = re.compile(rf"[A-Za-z0-9_-]{{1,{IDENTIFIER_LENGTH_MAX}}}")


def is_identifier(text: str) -> bool:
    """Return whether `text` is a valid name of a tenant, a gateway, an epoch or a boot."""
    return IDENTIFIER.fullmatch(text) is not None


def up(tenant: str, gateway: str, lane: Lane) -> str:
    """Return the topic to which a gateway publishes the batches of `lane`."""
    return f"{_of(tenant, gateway)}/up/{lane.value}"


def ack(tenant: str, gateway: str) -> str:
    """Return the topic to which the cloud publishes acknowledgements for a gateway."""
    return f"{_of(tenant, gateway)}/down/ack"


def command(tenant: str, gateway: str) -> str:
    """Return the topic to which the cloud publishes commands for a gateway."""
    return f"{_of(tenant, gateway)}/down/command"


def status(tenant: str, gateway: str) -> str:
    """Return the topic of the gateway's retained status, and of its will."""
    return f"{_of(tenant, gateway)}/status"


def up_filter(tenant: str, gateway: str) -> str:
    """Return the topic filter of every batch of one gateway."""
    return f"{_of(tenant, gateway)}/up/+"


def status_filter(tenant: str) -> str:
    """Return the topic filter of the statuses of a tenant's gateways."""
    return f"{_of(tenant, '_').removesuffix('/_')}/+/status"


@lru_cache(maxsize=TOPICS_CACHED)
def parse_up(topic: str) -> tuple[str, str, Lane]:
    """Return (tenant, gateway, lane) of a batch's topic. Raises RemoteProtocolError for any other topic."""
    parts = topic.split("/")
    if len(parts) != 6 or parts[4] != "up":
        raise RemoteProtocolError("not the topic of a batch", clause="uplink topics")
    tenant, gateway = _named(parts)
    try:
        return tenant, gateway, Lane(parts[5])
    except ValueError:
        raise RemoteProtocolError("no such lane", clause="uplink topics") from None


def parse_status(topic: str) -> tuple[str, str]:
    """Return (tenant, gateway) of a status topic. Raises RemoteProtocolError for any other topic."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[4] != "status":
        raise RemoteProtocolError("not the topic of a status", clause="uplink topics")
    return _named(parts)


def _of(tenant: str, gateway: str) -> str:
    for name in (tenant, gateway):
        if not is_identifier(name):
            raise LocalProtocolError(f"{name!r} cannot be part of a topic: 1 to 64 of A-Z a-z 0-9 _ - are allowed")
    return f"{ROOT}/{tenant}/{gateway}"


def _named(parts: list[str]) -> tuple[str, str]:
    tenant, gateway = parts[2], parts[3]
    if "/".join(parts[:2]) != ROOT or not is_identifier(tenant) or not is_identifier(gateway):
        raise RemoteProtocolError("not a topic of this link", clause="uplink topics")
    return tenant, gateway
