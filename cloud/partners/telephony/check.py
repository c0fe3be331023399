"""The check of a provider: five carriers over HTTPS, a SIP gateway by OPTIONS over TCP or TLS, IAX2 by its form only.

Every request passes the egress client, so settings of a tenant cannot reach addresses inside the network of the cloud.
A check never places a call and changes nothing at the carrier.
"""

import asyncio

from cloud.foundation.egress import Egress, Failure
from cloud.partners.telephony.carriers import Carrier, Credentials
from cloud.partners.telephony.model import CheckOutcome
from cloud.partners.telephony.sip import SipMalformed, SipResponse, Trunk, send_options

SIP_S_MAX = 10.0
"""Time of the exchange with a SIP gateway."""
SIP_PORT = 5060
SIPS_PORT = 5061


class ProviderCheck:
    """Checks providers through the egress client."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def run(self, carrier: Carrier, credentials: Credentials) -> CheckOutcome:
        """Return the carrier's judgement of the credentials, which have the form that it requires."""
        if carrier.request is not None:
            return await self._check_http(carrier, credentials)
        if credentials["protocol"] == "iax2":
            return CheckOutcome.NOT_CHECKED
        return await self._check_sip(credentials)

    async def _check_http(self, carrier: Carrier, credentials: Credentials) -> CheckOutcome:
        assert carrier.request is not None
        wanted = carrier.request(credentials)
        told = await self._egress.request(wanted.method, wanted.url, headers=wanted.headers, body=wanted.body)
        if isinstance(told, Failure):
            return CheckOutcome.UNREACHABLE
        if told.status == 200:
            return CheckOutcome.ACCEPTED if carrier.accepts(told.body) else CheckOutcome.REFUSED
        return CheckOutcome.REFUSED if told.status in (401, 403, 404) else CheckOutcome.UNEXPECTED

    async def _check_sip(self, credentials: Credentials) -> CheckOutcome:
        tls = credentials["protocol"] == "sips"
        trunk = Trunk(
            credentials["host"],
            int(credentials.get("port", SIPS_PORT if tls else SIP_PORT)),
            "TLS" if tls else "TCP",
            credentials.get("username"),
            credentials.get("password"),
        )
        opened = await self._egress.open_stream(trunk.host, trunk.port, tls=tls)
        if isinstance(opened, Failure):
            return CheckOutcome.UNREACHABLE
        reader, writer = opened
        try:
            async with asyncio.timeout(SIP_S_MAX):
                return _judged(await send_options(trunk, reader, writer))
        except SipMalformed:
            return CheckOutcome.UNEXPECTED
        except (OSError, asyncio.IncompleteReadError):  # a TimeoutError is an OSError
            return CheckOutcome.UNREACHABLE
        finally:
            writer.close()


def _judged(response: SipResponse) -> CheckOutcome:
    if 200 <= response.status < 300:
        return CheckOutcome.ACCEPTED
    return CheckOutcome.REFUSED if response.status in (401, 403, 407) else CheckOutcome.UNEXPECTED
