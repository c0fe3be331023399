"""A gateway that publishes numbered messages on some lanes, with the gateway's own MQTT connection.

It resends what is not confirmed, in order, as the uplink does; so each lane's numbers must arrive in order, apart from
repetitions, and each confirmed number must arrive.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from gateway.sync.mqtt import BrokerAddress, MqttSession
from gateway.sync.mqtt_errors import MqttRefused, MqttUnavailable
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from tests.harness.fleet_broker import Credentials

PAYLOAD_BYTES = 1000
PAUSE_S = 0.03
"""Pause between two messages, so that the vehicles leave processor time to the cluster."""
RECONNECT_S = 0.3


class NumberedGateway:
    """One vehicle. `confirmed` counts the confirmed numbers of each lane: all below it are confirmed."""

    def __init__(self, tenant: str, credentials: Credentials, address: BrokerAddress, lanes: Sequence[Lane]) -> None:
        self.tenant = tenant
        self.name = credentials.common_name
        self._address = address
        self.confirmed = dict.fromkeys(lanes, 0)
        self.refused = 0
        self.connections = 0
        self.puback_s_max = 0.0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Publish no further numbers; `run` returns when all published ones are confirmed."""
        self._stopping.set()

    async def run(self) -> None:
        while not await self._connection():  # noqa: ASYNC110 - it reconnects; there is no event to wait for
            await asyncio.sleep(RECONNECT_S)

    async def _connection(self) -> bool:
        """Publish on one connection until it ends; return whether all is confirmed after `stop`."""
        try:
            session = await MqttSession.open(self._address, client_id=self.name)
        except MqttUnavailable:
            return False
        self.connections += 1
        try:
            await session.subscribe(topics.ack(self.tenant, self.name))
            return await self._publish(session)
        except (MqttUnavailable, MqttRefused):
            return False
        finally:
            await session.close()

    async def _publish(self, session: MqttSession) -> bool:
        following = dict(self.confirmed)
        pending: deque[tuple[Lane, int, asyncio.Future[None], float]] = deque()
        while not self._stopping.is_set() or pending:
            if not self._stopping.is_set():
                for lane in self.confirmed:
                    await session.slot()
                    number = following[lane]
                    body = f"{number}".encode().ljust(PAYLOAD_BYTES)
                    sent = session.publish(topics.up(self.tenant, self.name, lane), body)
                    pending.append((lane, number, sent, time.monotonic()))
                    following[lane] = number + 1
                await asyncio.sleep(PAUSE_S)
            elif pending:
                await asyncio.wait((pending[0][2],))
            # In the order of sending: a lane's numbers are confirmed up to the first that is not.
            while pending and pending[0][2].done():
                lane, number, sent, at_s = pending.popleft()
                self._note(sent)
                self.puback_s_max = max(self.puback_s_max, time.monotonic() - at_s)
                self.confirmed[lane] = number + 1
        return True

    def _note(self, sent: "asyncio.Future[None]") -> None:
        """Count a refusal. Raises the error of a publish that was not confirmed."""
        self.refused += isinstance(sent.exception(), MqttRefused)
        sent.result()
