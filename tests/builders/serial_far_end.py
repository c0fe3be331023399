"""Functions with which a test plays the device at the far end of a serial cable: it sends requests and reads bytes."""

from gateway.transports.link import Link
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.specializations import standard_configuration
from tests.builders.gateway_device import THERMOMETER, device_id


def request(number: int = 1) -> bytes:
    """Return a thermometer's association request."""
    standard = standard_configuration(THERMOMETER)
    assert standard is not None
    agent = AgentAssociation(system_id=device_id(number), configurations=[standard])
    agent.associate(0.0)
    return agent.to_send()


async def heard_until(link: Link, ending: bytes) -> bytes:
    """Read until the received bytes contain `ending`, and return all of them."""
    heard = b""
    while ending not in heard:
        heard += await link.receive()
    return heard
