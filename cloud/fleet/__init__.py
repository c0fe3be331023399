"""Gateways: registering them, finding them, what they last said."""

from cloud.fleet.broker_configuration import ingest_group
from cloud.fleet.errors import GatewayTaken, GatewayUnknown, PublicKeyMalformed
from cloud.fleet.model import FormerKey, GatewayAccess, GatewayStatus, RegisteredGateway
from cloud.fleet.service import Fleet
from cloud.fleet.silence import GatewaySilence, heard
from cloud.fleet.store import GatewayDirectory

__all__ = [
    "Fleet",
    "FormerKey",
    "GatewayAccess",
    "GatewayDirectory",
    "GatewaySilence",
    "GatewayStatus",
    "GatewayTaken",
    "GatewayUnknown",
    "PublicKeyMalformed",
    "RegisteredGateway",
    "heard",
    "ingest_group",
]
