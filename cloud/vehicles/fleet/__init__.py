"""Gateways: registering them, finding them, what they last said."""

from cloud.vehicles.fleet.broker_configuration import ingest_group
from cloud.vehicles.fleet.errors import GatewayTaken, GatewayUnknown, PublicKeyMalformed
from cloud.vehicles.fleet.model import FormerKey, GatewayAccess, GatewayStatus, RegisteredGateway
from cloud.vehicles.fleet.service import Fleet
from cloud.vehicles.fleet.silence import GatewaySilence, heard
from cloud.vehicles.fleet.store import GatewayDirectory

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
