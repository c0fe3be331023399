"""The attacks of the first security review, as functions that run until they are cancelled, each at a bounded rate.

Each attack has one sender: an unknown client on the internet, an integrator with a valid token, a stolen gateway, a
broken device, or a person in the vehicle's network. Attacks connect to loopback addresses only, and open a refused or
ended connection again.
"""

from tests.soak.attackers.agent_listener import AGENT_LISTENER_ATTACKS
from tests.soak.attackers.cloud_http import CLOUD_HTTP_ATTACKS
from tests.soak.attackers.crew_page import CREW_PAGE_ATTACKS
from tests.soak.attackers.stolen_gateway import STOLEN_GATEWAY_ATTACKS
from tests.soak.attackers.target import Attack, Target

ATTACKS: dict[str, Attack] = {
    **CLOUD_HTTP_ATTACKS,
    **AGENT_LISTENER_ATTACKS,
    **CREW_PAGE_ATTACKS,
    **STOLEN_GATEWAY_ATTACKS,
}
"""Every attack by its name."""

__all__ = ["ATTACKS", "Attack", "Target"]
