"""Simulated Bluetooth device: it measures on its own clock, and advertises while it is present.

Two tasks run concurrently, as in a simulated wired device (`agents.agent`). The first measures at the device's pace,
with or without a client; measurements are notified, or stored in a bounded store. The second advertises and accepts one
client at a time; after a link loss, a lost radio or an absence it advertises again, with growing waits.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from bumble.att import ATT_UNLIKELY_ERROR_ERROR
from bumble.device import Connection, Device
from bumble.gatt import Characteristic
from bumble.gatt_server import Server
from bumble.hci import HCI_Error, OwnAddressType
from bumble.keys import JsonKeyStore, MemoryKeyStore
from bumble.transport.common import TransportLostError

from gateway.transports.clock import Clock
from protocols.device_time import absolute_time
from protocols.ieee11073.association.agent_service import Refused
from simulators.agents.backoff import Backoff
from simulators.agents.device_clock import DeviceClock
from simulators.agents.own_clock import OwnClock
from simulators.ble.advertising import advertising_data
from simulators.ble.attach import Air, NoRadio, Station, attach
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.conversation import Conversation, Mischief
from simulators.ble.device_services import device_services
from simulators.ble.gatt_table import add_table
from simulators.ble.ledger import Ledger, PeripheralStatus
from simulators.ble.options import Leaving
from simulators.ble.peripheral_pairing import pairing_config
from simulators.ble.records import control_point
from simulators.ble.sensor import Keep, Sample, Sensor, moment_of
from simulators.ble.store import Store
from simulators.ble.witness import BleWitness

log = structlog.get_logger(__name__)

ADVERTISE_EVERY_MS: Final = 100.0
"""Advertising interval: found within a scan window, and cheap. Real devices choose between 20 ms and some seconds."""
DRAIN_S: Final = 5.0
"""Time for which a device that is switched off tries to send its remaining values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeripheralOptions:
    """Options of a device. `memory` and `bonds` are the files of its store and its bonds; None keeps them in memory."""

    behaviour: BleBehaviour = field(default_factory=BleBehaviour)
    memory: Path | None = None
    bonds: Path | None = None


class Peripheral:
    """One simulated device. Devices with the same patient share `device_clock`, which defines when
    patient time starts."""

    def __init__(
        self,
        sensor: Sensor,
        address: str,
        air: Air,
        clock: Clock,
        device_clock: DeviceClock,
        *,
        witness: BleWitness | None = None,
        options: PeripheralOptions | None = None,
    ) -> None:
        """Create a device. `address` is static random if the behaviour is `static_random`, else public. `air` is the
        simulated radio: an ether in this process, or the path of a radio's socket. Raises OSError where a file of
        `options` cannot be written."""
        options = options or PeripheralOptions()
        self.sensor = sensor
        self.behaviour = behaviour = options.behaviour
        self.address = address
        self.ledger = Ledger(sensor.description.system_id, Store(options.memory), witness)
        self.bonds = MemoryKeyStore() if options.bonds is None else JsonKeyStore(address, str(options.bonds))
        self._air = air
        self._clock = clock
        self._device_clock = device_clock
        self._own_clock = OwnClock(device_clock, behaviour.clock)
        self._mischief = Mischief(drops_left=behaviour.drops_link_times, busy_left=behaviour.busy_times)
        self._backoff = Backoff(sensor.description.system_id)
        self._conversation: Conversation | None = None
        self._talking: asyncio.Task[None] | None = None
        self._forgetting: asyncio.Future[None] | None = None
        self._vanish = asyncio.Event()
        self._measuring: asyncio.Task[None] | None = None
        self._stopping = False
        self.status.address = address

    @property
    def name(self) -> str:
        return self.sensor.description.model

    @property
    def status(self) -> PeripheralStatus:
        return self.ledger.status

    async def run(self, for_s: float | None = None) -> None:
        """Run until `for_s` patient seconds have passed (None: until `stop` or cancellation). Then indicate the stored
        values to a connected client for at most DRAIN_S, and disconnect."""
        if self.sensor.session_memory:
            self.ledger.forget([kept.number for kept in self.ledger.store.kept()])
        self.sensor.switched_on(self._moment_at(0.0))
        async with asyncio.TaskGroup() as tasks:
            on_air = tasks.create_task(self._be_on_air())
            self._measuring = tasks.create_task(self._measure(for_s))
            if self._stopping:
                self._measuring.cancel()
            await asyncio.wait({self._measuring})
            await self._drain()
            on_air.cancel()

    def stop(self) -> None:
        """Stop measuring, so that `run` sends the remaining values and returns. May be called before `run`."""
        self._stopping = True
        if self._measuring is not None:
            self._measuring.cancel()

    # Measuring.

    async def _measure(self, for_s: float | None) -> None:
        while for_s is None or self.sensor.due_s <= for_s:
            due_s = self.sensor.due_s
            await self._clock.sleep_until(self._device_clock.monotonic_s(due_s))
            self.sensor.patient.advance_to(due_s)
            for sample in self.sensor.measure(due_s, self._moment_at):
                await self._take(sample)
        if for_s is not None:
            await self._clock.sleep_until(self._device_clock.monotonic_s(for_s))

    async def _take(self, sample: Sample) -> None:
        self.status.measured += 1
        conversation = self._conversation
        if conversation is not None:
            await conversation.notify(sample.live)
        if sample.kept is None or (sample.keep is Keep.UNHEARD and conversation is not None):
            return
        kept = self.ledger.keep(sample.kept)
        if conversation is not None:
            if sample.keep is Keep.UNCONFIRMED:
                conversation.fresh(kept)
            conversation.wake()

    async def _drain(self) -> None:
        """Wait until all queued values were sent to the connected client, for at most DRAIN_S."""
        conversation = self._conversation
        if conversation is None or self.behaviour.resends:
            return
        with suppress(TimeoutError):
            async with self._clock.timeout_at(self._clock.monotonic_s() + DRAIN_S):
                await conversation.idle()

    def _moment_at(self, patient_s: float) -> datetime | None:
        if not self.behaviour.shows_time:
            return None
        local_us = self._own_clock.time_at(patient_s).local_us()
        assert local_us is not None, "the clock of a Bluetooth device shows a date"
        return moment_of(local_us)

    def _patient_now_s(self) -> float:
        return self._device_clock.patient_s(self._clock.monotonic_s())

    def _local_time(self) -> datetime | None:
        return self._moment_at(self._patient_now_s())

    def _set_clock(self, moment: datetime) -> bool:
        """Set the device's clock to the time that a client wrote. Return False where the device refuses."""
        refusal = self._own_clock.set(absolute_time(moment), self._patient_now_s())
        self.status.clock_set = self._own_clock.times_set
        return not isinstance(refusal, Refused)

    async def _pause(self) -> None:
        if self.behaviour.slow_s > 0:
            await self._clock.sleep_until(self._clock.monotonic_s() + self.behaviour.slow_s)

    # Advertising and connections.

    async def _be_on_air(self) -> None:
        """Attach to the radio, advertise, handle clients, and detach, repeatedly until cancelled."""
        while True:
            await self._while_away()
            try:
                await self._serve()
            except (NoRadio, OSError, HCI_Error, TransportLostError) as error:
                self._trouble(str(error) or type(error).__name__)
            await self._clock.sleep_until(self._clock.monotonic_s() + self._backoff.next_s())

    async def _while_away(self) -> None:
        absence = self.behaviour.absence
        while absence is not None and absence.away_at(self._patient_now_s()):
            await self._clock.sleep_until(self._device_clock.monotonic_s(absence.next_change_s(self._patient_now_s())))

    async def _until_it_leaves(self) -> None:
        """Wait until the device's next absence, or until it must drop its link."""
        absence = self.behaviour.absence
        leaves_s = None
        if absence is not None:
            leaves_s = self._device_clock.monotonic_s(absence.next_change_s(self._patient_now_s()))
        with suppress(TimeoutError):
            async with self._clock.timeout_at(leaves_s):
                await self._vanish.wait()

    async def _serve(self) -> None:
        """Advertise and handle clients until the radio disconnects or the device leaves."""
        self._vanish.clear()
        public = not self.behaviour.static_random
        station = await attach(self._air, self.name, self.address, public=public, keys=self.bonds)
        leaving, gone = asyncio.ensure_future(self._until_it_leaves()), asyncio.ensure_future(station.wait_closed())
        try:
            await self._advertise(station)
            self._backoff.reset()
            self.status.trouble, self.status.on_air = "", True
            await asyncio.wait({leaving, gone}, return_when=asyncio.FIRST_COMPLETED)
            await self._disconnect_clients(station.device)
        finally:
            leaving.cancel()
            gone.cancel()
            self._hang_up()
            station.close()
            self.status.on_air = False

    async def _advertise(self, station: Station) -> None:
        device, behaviour = station.device, self.behaviour
        device.pairing_config_factory = lambda connection: pairing_config(behaviour, self._show)
        common = device_services(self.sensor.description, behaviour, self._local_time, self._set_clock)
        offered = (*self.sensor.offered(), *common)
        if self.sensor.numbering is not None:
            offered += (control_point(self.sensor.services[0], self._write_racp),)
        table = add_table(
            device.gatt_server, offered, encrypts=behaviour.encrypts, pause=self._pause, written=self._wake
        )
        device.gatt_server.on(Server.EVENT_CHARACTERISTIC_SUBSCRIPTION, lambda *told: self._wake())
        device.on(Device.EVENT_CONNECTION, lambda connection: self._connected(device, connection, table))
        await device.start_advertising(
            own_address_type=OwnAddressType.RANDOM if behaviour.static_random else OwnAddressType.PUBLIC,
            auto_restart=True,
            advertising_data=advertising_data(self.sensor.services, self.sensor.description.serial_number),
            advertising_interval_min=ADVERTISE_EVERY_MS,
            advertising_interval_max=ADVERTISE_EVERY_MS,
        )

    async def _disconnect_clients(self, device: Device) -> None:
        """Disconnect the clients before an absence if the device's behaviour is `Leaving.GOODBYE`."""
        absence = self.behaviour.absence
        if self._vanish.is_set() or absence is None or absence.leaving is not Leaving.GOODBYE:
            return
        for connection in list(device.connections.values()):
            with suppress(HCI_Error):
                await connection.disconnect()

    # One client.

    def _connected(self, device: Device, connection: Connection, table: Mapping[int, Characteristic[bytes]]) -> None:
        self._hang_up()
        self.status.connected = True
        self.status.connections += 1
        log.info("peripheral.connected", device=self.name, waiting=self.status.pending)
        conversation = Conversation(
            device.gatt_server,
            connection,
            table,
            self.sensor,
            self.ledger,
            self.behaviour,
            self._mischief,
            self._vanish.set,
        )
        self._conversation = conversation
        self._talking = asyncio.ensure_future(conversation.run())
        self._talking.add_done_callback(self._talked)
        connection.on(Connection.EVENT_DISCONNECTION, lambda reason: self._disconnected(conversation))
        connection.on(Connection.EVENT_PAIRING, lambda keys: self._paired())
        connection.on(Connection.EVENT_PAIRING_FAILURE, lambda reason: self._show(None))
        connection.on(Connection.EVENT_CONNECTION_ENCRYPTION_CHANGE, lambda: self._encrypted(connection))

    def _talked(self, talking: "asyncio.Task[None]") -> None:
        """Drop the link after a conversation that failed. Without this, the device would stay connected and send
        nothing."""
        if not talking.cancelled() and (error := talking.exception()) is not None:
            log.error("peripheral.conversation_broke", device=self.name, error=type(error).__name__)
            self._vanish.set()

    def _encrypted(self, connection: Connection) -> None:
        self.status.encrypted = bool(connection.encryption)

    def _paired(self) -> None:
        self.status.pairings += 1
        self._show(None)
        log.info("peripheral.paired", device=self.name)

    def _show(self, passkey: int | None) -> None:
        self.status.passkey = passkey
        if passkey is not None:
            log.info("peripheral.shows_passkey", device=self.name, digits=f"{passkey:06d}")

    def _disconnected(self, conversation: Conversation) -> None:
        if conversation is self._conversation:
            self._hang_up()

    def _hang_up(self) -> None:
        """End the conversation with the client and reset the state of the connection. If `bonds_kept` is False, delete
        the bonds."""
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.end()
        self.status.connected = self.status.encrypted = False
        self._show(None)
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None
            log.info("peripheral.disconnected", device=self.name, waiting=self.status.pending)
            if not self.behaviour.bonds_kept:
                self._forgetting = asyncio.ensure_future(self.bonds.delete_all())

    def _wake(self) -> None:
        if self._conversation is not None:
            self._conversation.wake()

    def _write_racp(self, octets: bytes) -> int:
        return self._conversation.write_racp(octets) if self._conversation is not None else ATT_UNLIKELY_ERROR_ERROR

    def _trouble(self, sentence: str) -> None:
        if sentence != self.status.trouble:  # once for each reason, not for each attempt
            log.info("peripheral.troubled", device=self.name, reason=sentence)
        self.status.trouble = sentence
