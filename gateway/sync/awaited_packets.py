"""The packets in flight of one connection: those without a PUBACK or a SUBACK, and how many more may be sent.

The broker's Receive Maximum limits the publishes without a PUBACK. When the connection ends, everything that waits
raises its error.
"""

import asyncio
from collections.abc import Callable

from gateway.sync.mqtt_errors import MqttRefused, MqttUnavailable
from gateway.sync.unconfirmed import Lost, PubackSettings, UnconfirmedPackets
from protocols.uplink.broker import PUBLISH_WINDOW_MAX


class AwaitedPackets:
    """The packets of one connection whose response has not arrived."""

    def __init__(self, pubacks: PubackSettings) -> None:
        self._loop = asyncio.get_running_loop()
        self._responses: dict[int, asyncio.Future[None]] = {}
        self._unconfirmed = UnconfirmedPackets(pubacks)
        self._slot_freed = asyncio.Event()
        self.free_slots = PUBLISH_WINDOW_MAX
        """Number of publishes that may be sent before the PUBACK of another one."""

    def __contains__(self, packet_id: int) -> bool:
        return packet_id in self._responses

    async def slot(self) -> None:
        """Wait until one more publish may be in flight."""
        while self.free_slots <= 0:
            self._slot_freed.clear()
            await self._slot_freed.wait()

    def new_packet_id(self, next_id: Callable[[], int]) -> int:
        """Return the next packet id that no packet in flight has."""
        while (packet_id := next_id()) in self._responses:
            pass  # of a publish without a response for 65 535 packets
        return packet_id

    def add_publish(self, packet_id: int, size_bytes: int) -> asyncio.Future[None]:
        """Note a publish that was sent; return a future that completes at its PUBACK."""
        self.free_slots -= 1
        response = self.add(packet_id, size_bytes)
        response.add_done_callback(self._free_slot)
        return response

    def add(self, packet_id: int, size_bytes: int) -> asyncio.Future[None]:
        """Note a packet that was sent and takes no slot; return a future that completes at its response."""
        self._unconfirmed.add(packet_id, size_bytes, self._loop.time())
        response: asyncio.Future[None] = self._loop.create_future()
        self._responses[packet_id] = response
        return response

    def resolve(self, packet_id: int, refusal: str | None) -> None:
        """Complete the response to a packet. `refusal`: the broker's reason to refuse it."""
        self._unconfirmed.confirm(packet_id)
        response = self._responses.pop(packet_id, None)
        if response is None or response.done():
            return
        if refusal is not None:
            response.set_exception(MqttRefused(f"the broker refused: {refusal}"))
            response.exception()
        else:
            response.set_result(None)

    def fail(self, error: MqttUnavailable) -> None:
        """Let everything that waits raise the error by which the connection ended."""
        for response in self._responses.values():
            if not response.done():
                response.set_exception(error)
                # Publishes without a pending caller end silently: the batch is not acknowledged, and is resent.
                response.exception()
        self._responses.clear()

    def find_lost(self) -> Lost | None:
        """Return the packets whose response is overdue, or None."""
        return self._unconfirmed.find_lost(self._loop.time())

    def _free_slot(self, _: object) -> None:
        self.free_slots += 1
        self._slot_freed.set()
