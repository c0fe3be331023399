"""One MQTT 5 connection of ingest, from CONNECT to its end: paho's client on the event loop.

aiomqtt has three faults here. A publish that waits for its PUBACK when the broker dies waits for the whole timeout
(measured: ingest stopped for 10 s after a restart of the broker). An attempt to connect to a broker that does not
respond leaves its socket open. And `asyncio.wait_for` in Python 3.11 may swallow the cancellation by which a process
stops. Here every wait ends with the connection, and only `asyncio.wait` is used.

Connecting blocks (name look-up, TCP, TLS), so it runs on a thread: a daemon, because a stop must not wait for a
network. `mqtt_source` opens a new connection after one has ended.

PUBLISH and PUBACK, the packets of every batch, do not pass through paho (`mqtt_packets`).
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud.vehicles.ingest.broker import BrokerAddress, BrokerUnavailable
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_stream import PacketStream, StreamClient
from protocols.uplink.broker import CLOSE_S_MAX, MISC_EVERY_S, find_refusal
from protocols.uplink.limits import PACKET_BYTES_MAX
from protocols.uplink.mqtt_packets import (
    PUBACK,
    PUBLISH,
    MalformedPacket,
    Packet,
    ReceivedMessage,
    encode_puback,
    encode_publish,
    read_puback,
    read_publish,
)

Heard = Callable[["BrokerConnection", ReceivedMessage], None]

RECEIVE_MAX_DEFAULT = 65_535
"""The Receive Maximum of a broker that states none."""


PUBACK_S = 0.005
"""Time for which a PUBACK waits for others to be sent with it. A system call takes as long as decoding a small batch,
and a fleet sends a message in each millisecond or two. Even a broker with a window of 20 messages, mosquitto's default,
then sends 4 000 a second."""


class BrokerConnection:
    """A connection to the broker. The future `ended` gets a `BrokerUnavailable` when the connection ends."""

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        settings: IngestSettings,
        heard: Heard,
        cleared_topic: str | None = None,
    ) -> None:
        """Prepare a connection without connecting. `heard` is called with each message. The message is acknowledged to
        the broker only by a call of `puback`. `cleared_topic`: the retained message that the broker deletes when the
        connection ends without a DISCONNECT (an empty will)."""
        self._loop = asyncio.get_running_loop()
        self._host, self._port, _ = address.parts()
        self._settings = settings
        self._heard = heard
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        # Without this the loop logs an error when the connection ends and no task awaits it.
        self.ended.add_done_callback(lambda ended: ended.exception())
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        """The responses that are due, by packet id: True if the broker accepts."""
        self._stream: PacketStream | None = None
        self._misc: asyncio.TimerHandle | None = None
        self.receive_max = RECEIVE_MAX_DEFAULT
        """The broker's Receive Maximum: publishes that it accepts before the PUBACK of the first, and by default also
        those that mosquitto sends (`max_inflight_messages`)."""
        self._slots = asyncio.Semaphore(settings.receive_max)
        self._client = self._paho(address, client_id)
        if cleared_topic is not None:
            self._client.will_set(cleared_topic, b"", qos=1, retain=True)

    def _paho(self, address: BrokerAddress, client_id: str) -> StreamClient:
        client = StreamClient(
            callback_api_version=CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = self._settings.connect_s
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        tls = address.tls()
        if tls is not None:
            client.tls_set_context(tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = client.on_unsubscribe = self._on_subscribe
        return client

    # ---- opening and closing

    @classmethod
    async def open(
        cls,
        address: BrokerAddress,
        *,
        client_id: str,
        settings: IngestSettings,
        heard: Heard,
        cleared_topic: str | None = None,
    ) -> Self:
        """Connect within `settings.connect_s`. Raises `BrokerUnavailable`, also when the broker refuses."""
        try:
            connection = cls(address, client_id=client_id, settings=settings, heard=heard, cleared_topic=cleared_topic)
        except OSError as error:
            raise BrokerUnavailable(f"TLS cannot be spoken: {error.strerror or error}") from None
        try:
            async with asyncio.timeout(settings.connect_s):
                await connection._on_thread(connection._connect)
                connection._watch()
                await asyncio.wait((connection._accepted, connection.ended), return_when=asyncio.FIRST_COMPLETED)
                if connection.ended.done():
                    connection.ended.result()
        except TimeoutError:
            connection._drop("the broker did not answer in time")
            raise BrokerUnavailable("the broker did not answer in time") from None
        except OSError as error:
            connection._drop("no connection")
            raise BrokerUnavailable(f"no connection to the broker: {error.strerror or error}") from None
        except BaseException:
            connection._drop("given up")
            raise
        return connection

    async def _on_thread(self, work: Callable[[], None]) -> None:
        done: asyncio.Future[None] = self._loop.create_future()

        def finish(failure: Exception | None) -> None:
            if self.ended.done():
                self._let_go()  # the attempt was abandoned, and no other code would close this socket
            if done.done():
                return
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)

        def run() -> None:
            failure: Exception | None = None
            try:
                work()
            except Exception as error:
                failure = error
            with suppress(RuntimeError):  # the loop has closed: the process is ending
                self._loop.call_soon_threadsafe(finish, failure)

        threading.Thread(target=run, name="broker-connect", daemon=True).start()
        await done

    def _connect(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has not typed it
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = self._settings.receive_max
        properties.MaximumPacketSize = PACKET_BYTES_MAX
        self._client.connect(
            self._host, self._port, keepalive=self._settings.keepalive_s, clean_start=True, properties=properties
        )

    def _watch(self) -> None:
        """Read and write the connected socket on the event loop."""
        opened: Any = self._client.socket()
        if opened is None:
            raise BrokerUnavailable("the broker closed the connection at once")
        # An acknowledgement is small and urgent: a delay to fill a segment would add 40 ms to each.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = PacketStream(opened, note=self._client.note_received, receive=self._receive, fail=self._break)
        self._client.stream = self._stream
        self._client.on_socket_close = lambda _client, _data, _closing: self._unwatch()
        if self._client.want_write():
            self._guarded(self._client.loop_write)  # the rest of CONNECT
        self._misc = self._loop.call_later(MISC_EVERY_S, self._keep_alive)

    async def close(self) -> None:
        """Disconnect, within `CLOSE_S_MAX`. Raises nothing."""
        if not self.ended.done():
            self._client.disconnect()
            await asyncio.wait((self.ended,), timeout=CLOSE_S_MAX)
        self._drop("closed")

    def _drop(self, reason: str) -> None:
        """Mark the connection as ended, so that every wait on it ends, and close the socket."""
        self._end(reason)
        self._let_go()

    def _end(self, reason: str) -> None:
        """Mark the connection as ended, unless it is already, and every wait for a response of the broker with it."""
        if self.ended.done():
            return
        self.ended.set_exception(BrokerUnavailable(reason))
        for response in self._waiting.values():
            if not response.done():
                response.set_exception(BrokerUnavailable(reason))

    def _let_go(self) -> None:
        if self._misc is not None:
            self._misc.cancel()
        opened = self._client.socket()
        self._unwatch()
        if opened is not None:
            opened.close()

    def _unwatch(self) -> None:
        if self._stream is not None:
            self._stream.close()

    # ---- requests

    async def subscribe(self, *topic_filters: str) -> bool:
        """Subscribe at QoS 1 and wait for the SUBACK. Return False if the broker refuses one of the filters. Raises
        `BrokerUnavailable`."""
        result, mid = self._client.subscribe([(each, 1) for each in topic_filters])
        return await self._granted(result, mid)

    async def unsubscribe(self, *topic_filters: str) -> bool:
        """Unsubscribe and wait for the UNSUBACK. Return False if the broker refuses. Raises `BrokerUnavailable`."""
        result, mid = self._client.unsubscribe(list(topic_filters))
        return await self._granted(result, mid)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Publish at QoS 1 and wait for the PUBACK. Return False if the broker refuses. Raises `BrokerUnavailable`."""
        accepted: list[bool | None] = [None]
        await self.publish_all([(topic, payload)], accepted, retain=retain)
        return accepted[0] is True

    async def publish_all(
        self, messages: Sequence[tuple[str, bytes]], accepted: list[bool | None], *, retain: bool = False
    ) -> None:
        """Publish to topics at QoS 1 and wait for the PUBACKs. Store in `accepted` whether the broker accepts each
        message, also when this is cancelled or raises; None: it has not responded. Raises `BrokerUnavailable`.

        One task sends all: a task and a timeout for each acknowledgement took a tenth of the time of ingest.
        """
        responses: list[asyncio.Future[bool]] = []
        try:
            for topic, payload in messages:
                # A broker closes the connection of a client that exceeds its Receive Maximum.
                await self._slots.acquire()
                responses.append(self._send(topic, payload, retain=retain))
            for response in responses:
                await response
        finally:
            accepted[: len(responses)] = map(_end_wait, responses)

    def _send(self, topic: str, payload: bytes, *, retain: bool) -> asyncio.Future[bool]:
        """Send a message for which a slot was taken. The slot is free again when the returned future is done."""
        while (packet_id := self._client.new_packet_id()) in self._waiting:
            pass  # of a packet that has had no response for 65 535 packets
        response: asyncio.Future[bool] = self._loop.create_future()
        slots, waiting = self._slots, self._waiting

        def free(_: object) -> None:
            waiting.pop(packet_id, None)
            slots.release()

        response.add_done_callback(free)
        if self.ended.done() or self._stream is None:
            response.set_exception(BrokerUnavailable(self._end_reason))
        else:
            waiting[packet_id] = response
            self._stream.write(encode_publish(topic, payload, packet_id, retain=retain))
        return response

    def puback(self, message: ReceivedMessage) -> None:
        """Send the PUBACK of a message; does nothing when the connection has ended, or at QoS 0."""
        if self._stream is not None and message.qos:
            self._stream.write(encode_puback(message.packet_id), within_s=PUBACK_S)

    async def _granted(self, result: MQTTErrorCode, mid: int | None) -> bool:
        """Wait for the broker's response to the packet `mid`, and return whether the broker accepts it. `result` is
        paho's result of sending the packet. Raises `BrokerUnavailable`."""
        if result is not MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            self._drop(f"the connection to the broker broke: {paho.error_string(result)}")
        return await self._response(0 if mid is None else mid)

    async def _response(self, packet_id: int) -> bool:
        """Wait for the broker's response to a packet, and return whether the broker accepts it. Raises
        `BrokerUnavailable`."""
        if self.ended.done():
            raise BrokerUnavailable(self._end_reason)
        response: asyncio.Future[bool] = self._loop.create_future()
        self._waiting[packet_id] = response
        try:
            return await response
        finally:
            self._waiting.pop(packet_id, None)

    @property
    def _end_reason(self) -> str:
        return str(self.ended.exception()) if self.ended.done() else "not connected yet"

    # ---- paho's callbacks, all on the loop once `_watch` ran

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, given: Any) -> None:
        if self._accepted.done():
            return
        if reason.is_failure:
            self._drop(f"the broker does not take the cloud: {reason}")
        else:
            self.receive_max = getattr(given, "ReceiveMaximum", RECEIVE_MAX_DEFAULT)
            self._slots = asyncio.Semaphore(min(self._settings.receive_max, self.receive_max))
            self._accepted.set_result(None)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _given: Any) -> None:
        self._end(f"the connection to the broker ended: {reason}")

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, reasons: list[ReasonCode], _given: Any) -> None:
        self._resolve(mid, find_refusal(reasons) is None)

    def _resolve(self, packet_id: int, accepted: bool) -> None:
        response = self._waiting.get(packet_id)
        if response is not None and not response.done():
            response.set_result(accepted)

    # ---- packets

    def _receive(self, packet: Packet) -> None:
        """Handle a received packet, unless one before it has ended the connection."""
        if self.ended.done():
            return
        try:
            if packet.kind == PUBLISH:
                self._heard(self, read_publish(packet))
            elif packet.kind == PUBACK:
                puback = read_puback(packet)
                self._resolve(puback.packet_id, puback.accepted)
            else:
                self._guarded(lambda: self._client.take(packet))
        except MalformedPacket as error:
            self._break(str(error))

    def _keep_alive(self) -> None:
        self._guarded(self._client.loop_misc)
        if not self.ended.done():
            self._misc = self._loop.call_later(MISC_EVERY_S, self._keep_alive)

    def _guarded(self, step: Callable[[], MQTTErrorCode]) -> None:
        """Run a step of paho; drop the connection if it raises or returns an error."""
        try:
            result = step()
        except (OSError, ValueError) as error:
            self._break(str(error))
            return
        if result is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._break(paho.error_string(result))

    def _break(self, reason: str) -> None:
        self._drop(f"the connection to the broker broke: {reason}")


def _end_wait(response: asyncio.Future[bool]) -> bool | None:
    """Return whether the broker accepts a message, or None; do not wait for its response any longer."""
    if not response.done():
        response.cancel()
        return None
    return None if response.cancelled() or response.exception() is not None else response.result()
