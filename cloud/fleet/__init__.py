"""Gateways: registering them, finding them, what they last said."""

from cloud.fleet.errors import GatewayTaken, GatewayUnknown, PublicKeyMalformed
from cloud.fleet.model import GatewayStatus, RegisteredGateway
from cloud.fleet.service import Fleet
from cloud.fleet.silence import GatewaySilence, heard
from cloud.fleet.store import GatewayDirectory

__all__ = [
    "Fleet",
    "GatewayDirectory",
    "GatewaySilence",
    "GatewayStatus",
    "GatewayTaken",
    "GatewayUnknown",
    "PublicKeyMalformed",
    "RegisteredGateway",
    "heard",
]
