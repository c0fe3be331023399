"""Send a call to the demo's vehicle over the API, as a dispatch system does.

The call is that of the demo's encounter, so its address and times are in the report that the crew's page shows. It is
sent at each start: what the cloud has already changes nothing.
"""

import aiohttp

from simulators.demo.api_token import api_token
from simulators.demo.plan import Plan
from simulators.demo.readiness import eventually

SCOPES = "argus:epcr:write"
CALL = {
    "response_number": "2026-0042",
    "reason": "2301013",  # chest pain, not caused by an injury
    "street": "Example Street 12",
    "city": "Sampletown",
    "postcode": "00-001",
    "directions": "second floor, the lift is out of order",
}
"""An invented address."""


async def send_call(plan: Plan, within_s: float) -> None:
    """Add the call data to the mission of the demo's encounter. Raises `DemoNotReady` after `within_s`."""
    url = f"{plan.url('api')}/api/v1/epcr/encounters/{plan.encounter_id}/mission"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=within_s), trust_env=False) as session:

        async def is_sent() -> bool:
            try:
                headers = {"Authorization": f"Bearer {await api_token(session, plan, SCOPES)}"}
                async with session.patch(url, json={"call": CALL}, headers=headers) as response:
                    return response.status in (200, 409)  # 409: the encounter was ended in an earlier run
            except aiohttp.ClientError:
                return False

        await eventually("the call from dispatch", is_sent, within_s)
