"""One MQTT 5 connection, from CONNECT to its end: paho's client on the event loop.

aiomqtt is not used, because it hides what the uplink needs: the reason in a PUBACK (a publish that the broker's ACL
refuses would look delivered), the broker's Receive Maximum and Maximum Packet Size, which paho ignores, and the reason
in a DISCONNECT (another client took our name). Nothing here reconnects or keeps state after the connection has ended.

Connections use clean start and session expiry 0, because the buffer is the queue. A session kept by the broker would
deliver stale acknowledgements, and paho would repeat publishes that the uplink sends again anyway. Connecting blocks
(name look-up, TCP, TLS), so it runs on a daemon thread; all later work runs on the event loop.

PUBLISH and PUBACK, the packets of every batch, do not pass through paho (`protocols.uplink.mqtt_packets`).
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.sync.awaited_packets import AwaitedPackets
from gateway.sync.connect_thread import run_on_thread
from gateway.sync.inbox import INBOUND_MAX, Inbox, Message
from gateway.sync.mqtt_errors import MqttPubackLost, MqttTakenOver, MqttUnavailable
from gateway.sync.packet_stream import PacketStream, StreamClient
from gateway.sync.tls import DatedSocket
from gateway.sync.unconfirmed import PubackSettings
from protocols.uplink.broker import (
    CLOSE_S_MAX,
    CONNECT_S_MAX,
    KEEPALIVE_S,
    MISC_EVERY_S,
    SESSION_TAKEN_OVER,
    find_refusal,
    find_size_conflict,
    publish_window,
)
from protocols.uplink.limits import MESSAGE_BYTES_MAX
from protocols.uplink.mqtt_packets import (
    PUBACK,
    PUBLISH,
    MalformedPacket,
    Packet,
    Puback,
    ReceivedMessage,
    encode_puback,
    encode_publish,
    read_puback,
    read_publish,
)

T = TypeVar("T")

PUBACK_S = 1.0
"""Time for which a PUBACK waits for other packets: until the batches of the next second. A packet of its own costs more
on a mobile link than the PUBACK, and as much processor time as a batch on both sides."""
PUBACKS_MAX = 4
"""Number of PUBACKs that wait. A broker sends only a number of messages without a PUBACK: mosquitto 20 and RabbitMQ 10,
unless it is set up otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """The broker's address and the credentials for one attempt to connect. `tls` is None on loopback and in tests."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        return f"BrokerAddress({self.host}:{self.port}, tls={self.tls is not None})"


class MqttSession:
    """An open MQTT connection. When it ends, `ended` gets an exception, which every pending call raises."""

    def __init__(
        self, address: BrokerAddress, *, client_id: str, will: Message | None, pubacks: PubackSettings
    ) -> None:
        loop = asyncio.get_running_loop()
        self._address = address
        self._loop = loop
        self._misc: asyncio.TimerHandle | None = None
        self._connected: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        # An end without a pending caller is no error of the loop.
        self.ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._awaited = AwaitedPackets(pubacks)
        self._inbox = Inbox(self.ended)
        self._client = self._paho(client_id, will)
        self._stream: PacketStream | None = None

    def _paho(self, client_id: str, will: Message | None) -> StreamClient:
        client = StreamClient(
            callback_api_version=CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S_MAX
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls is not None:
            client.tls_set_context(self._address.tls)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        return client

    # ---- opening and closing

    @classmethod
    async def open(
        cls,
        address: BrokerAddress,
        *,
        client_id: str,
        will: Message | None = None,
        pubacks: PubackSettings = PubackSettings(),  # noqa: B008  frozen
    ) -> Self:
        """Connect within `CONNECT_S_MAX`. Raises MqttUnavailable when the broker cannot be reached or refuses."""
        session = cls(address, client_id=client_id, will=will, pubacks=pubacks)
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                await run_on_thread(session._connect, ended=session._close_late)
                session._watch()
                await asyncio.wait((session._connected, session.ended), return_when=asyncio.FIRST_COMPLETED)
            if session._connected.done():
                session._connected.result()
            session._check()
        except TimeoutError:
            session.end("the broker did not respond in time")
            raise MqttUnavailable(f"the broker at {address.host}:{address.port} did not respond in time") from None
        except OSError as error:
            session.end("no connection")
            reason = error.strerror or str(error) or type(error).__name__
            raise MqttUnavailable(f"no connection to the broker at {address.host}:{address.port}: {reason}") from error
        except BaseException:
            session.end("given up")
            raise
        return session

    def _connect(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has not typed it
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = INBOUND_MAX
        # The broker sends only acknowledgements and commands.
        properties.MaximumPacketSize = 2 * MESSAGE_BYTES_MAX
        self._client.connect(
            self._address.host, self._address.port, keepalive=KEEPALIVE_S, clean_start=True, properties=properties
        )

    def _close_late(self) -> None:
        """Close a connection that was opened after its caller gave up."""
        if self.ended.done():
            self.end("given up")

    def _watch(self) -> None:
        """Start reading, writing and keep-alive on the event loop."""
        opened: Any = self._client.socket()  # paho types it without `setsockopt`
        if opened is None:
            raise MqttUnavailable("the broker closed the connection at once")
        # A batch is one small write that a caller waits for: it must not be held until the one before is acknowledged.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = PacketStream(
            self._client,
            opened,
            receive=self._take_packet,
            fail=self._break,
            emptied=self._write_rest,
            late_s=PUBACK_S,
            late_max=PUBACKS_MAX,
        )
        self._client.stream = self._stream
        self._client.on_socket_close = lambda _client, _data, _closing: self._unwatch()
        self._write_rest()
        self._misc = self._loop.call_later(MISC_EVERY_S, self._keep_alive)

    def _write_rest(self) -> None:
        """Write paho's packets that the socket did not take."""
        if self._client.want_write():
            self._run_step(self._client.loop_write)

    def _keep_alive(self) -> None:
        self._run_step(self._client.loop_misc)
        lost = self._awaited.find_lost()
        if lost is not None:
            self._fail(MqttPubackLost(lost))
            self.end("a PUBACK was lost")
        if not self.ended.done():
            self._misc = self._loop.call_later(MISC_EVERY_S, self._keep_alive)

    def _run_step(self, step: Callable[[], MQTTErrorCode]) -> None:
        """Run one step of paho. End the connection if an exception or a return code reports its end."""
        try:
            result = step()
        except (OSError, ValueError) as error:
            self._break(str(error))
            return
        if result is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._break(paho.error_string(result))

    def _break(self, reason: str) -> None:
        self.end(f"the connection to the broker broke: {reason}")

    async def close(self) -> None:
        """Send DISCONNECT, so that the broker does not publish the will. Never raises; takes at most `CLOSE_S_MAX`."""
        if not self.ended.done():
            self._client.disconnect()
            await asyncio.wait((self.ended,), timeout=CLOSE_S_MAX)
        self.end("closed")

    def end(self, reason: str) -> None:
        """End this connection. Every pending call raises MqttUnavailable with `reason`."""
        self._fail(MqttUnavailable(reason))
        if self._misc is not None:
            self._misc.cancel()
        self._unwatch()
        opened = self._client.socket()
        if opened is not None:
            opened.close()

    def _unwatch(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def _fail(self, error: MqttUnavailable) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
        self._inbox.wake()
        self._awaited.fail(error)

    def _check(self) -> None:
        if self.ended.done():
            self.ended.result()

    # ---- publishing and receiving

    async def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1. Raises MqttRefused when the broker's ACL refuses it."""
        self._check()
        result, mid = self._client.subscribe(topic, qos=1)
        self._check_sending(result)
        assert mid is not None
        await self._awaited.add(mid, len(topic))

    async def slot(self) -> None:
        """Wait until one more publish may be in flight (without its PUBACK) within the broker's Receive Maximum."""
        if self._awaited.free_slots <= 0:
            await self._wait_unless_ended(self._awaited.slot())
        self._check()

    async def _wait_unless_ended(self, waited: Coroutine[Any, Any, T]) -> T:
        """Return the result of `waited`. Raises MqttUnavailable if the connection ends first."""
        task = asyncio.ensure_future(waited)
        try:
            await asyncio.wait((task, self.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if not task.done():
            self._check()
        return await task

    def certificate_fault(self) -> str | None:
        """Check the dates of the broker's certificate by the present clock. Return the fault as a sentence, or None."""
        opened = self._client.socket()
        return opened.fault() if isinstance(opened, DatedSocket) else None

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, user_properties: Sequence[tuple[str, str]] = ()
    ) -> asyncio.Future[None]:
        """Send a message with QoS 1 at once; await `slot` first. The future completes at the PUBACK, which does not
        mean that the cloud has the message. The future raises MqttRefused if the broker rejected the message, and
        MqttUnavailable if the connection ended first."""
        self._check()
        assert self._stream is not None, "a session is open when its caller gets it"
        packet_id = self._awaited.new_packet_id(self._client.new_packet_id)
        self._stream.write(encode_publish(topic, payload, packet_id, retain=retain, user_properties=user_properties))
        return self._awaited.add_publish(packet_id, len(topic) + len(payload))

    async def receive(self) -> Message:
        """Wait for the next message and return it, for one task at a time. Raises MqttUnavailable when the connection
        has ended."""
        return await self._inbox.receive()

    def _check_sending(self, result: MQTTErrorCode) -> None:
        if result not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_QUEUE_SIZE):
            self._fail(MqttUnavailable(f"the connection to the broker broke: {paho.error_string(result)}"))
            self._check()

    # ---- packets

    def _take_packet(self, packet: Packet) -> None:
        """Handle a received packet, unless one before it has ended the connection."""
        if self.ended.done():
            return
        try:
            if packet.kind == PUBLISH:
                self._take_message(read_publish(packet))
            elif packet.kind == PUBACK:
                puback = read_puback(packet)
                self._awaited.resolve(puback.packet_id, None if puback.accepted else _refusal(puback))
            else:
                self._run_step(lambda: self._client.take(packet))
        except (MalformedPacket, UnicodeDecodeError) as error:
            self._break(str(error))

    def _take_message(self, message: ReceivedMessage) -> None:
        self._inbox.add(Message(message.topic, message.payload))
        if message.qos and self._stream is not None:
            self._stream.write_late(encode_puback(message.packet_id))

    # ---- paho's callbacks, all on the loop once `_watch` ran

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, given: Properties | None) -> None:
        if self._connected.done():
            return
        if reason.is_failure:
            self._connected.set_exception(MqttUnavailable(f"the broker does not take this gateway: {reason}"))
            return
        conflict = find_size_conflict(getattr(given, "MaximumPacketSize", None))
        if conflict is not None:
            self._connected.set_exception(MqttUnavailable(conflict))
            return
        self._awaited.free_slots = publish_window(getattr(given, "ReceiveMaximum", None))
        self._connected.set_result(None)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _given: Any) -> None:
        if reason.value == SESSION_TAKEN_OVER:
            self._fail(MqttTakenOver("another client connected to the broker with this gateway's name"))
        else:
            self._fail(MqttUnavailable(f"the connection to the broker ended: {reason}"))

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, reasons: list[ReasonCode], _given: Any) -> None:
        self._awaited.resolve(mid, find_refusal(reasons))


def _refusal(puback: Puback) -> str:
    """Return the name of the reason code of a PUBACK, or its number where MQTT 5 has no name for it."""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=puback.reason_code))
    except KeyError:
        return f"reason code {puback.reason_code:#04x}"
