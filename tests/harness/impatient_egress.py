"""The cloud's HTTP client for webhooks with a short timeout for one receiver, and the product's timeout for all others.

A test of a receiver that hangs must not wait for the product's timeout. All other receivers keep that timeout, because
with a shorter one a slow test machine could cause additional attempts of a delivery.
"""

from collections.abc import Mapping

from cloud.foundation.egress import AllowList, Egress, Failure, Resolver, Response, Target

IMPATIENT_S = 0.02


class ImpatientEgress(Egress):
    """An HTTP client for webhooks with a timeout of 20 ms for the port `impatient_of`, where the receiver never
    responds."""

    def __init__(self, allowed: AllowList, resolver: Resolver, impatient_of: int, *, request_s_max: float) -> None:
        super().__init__(allowed, resolver, request_s_max=request_s_max)
        self._impatient_of = impatient_of
        self._impatient = Egress(allowed, resolver, request_s_max=IMPATIENT_S)

    async def send(self, method: str, target: Target, *, headers: Mapping[str, str], body: bytes) -> Response | Failure:
        if target.port == self._impatient_of:
            return await self._impatient.send(method, target, headers=headers, body=body)
        return await super().send(method, target, headers=headers, body=body)

    async def close(self) -> None:
        await self._impatient.close()
        await super().close()
