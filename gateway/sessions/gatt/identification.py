"""Read characteristics of one device, and identify it by its Device Information before any value is accepted.

A read that the device refuses is recorded as a deviation, and the other characteristics are still used.
"""

from gateway.buffer.ble_devices import PairedDevice
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.claims import Verdict
from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.gatt.context import GattContext
from gateway.sessions.gatt.notes import GattNotes
from gateway.sessions.gatt.profiles import Step, Usable, name_of
from gateway.sessions.gatt.requests import GattRequests, ReadValue
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleGattError
from gateway.transports.clock import Clock, instant_of
from protocols.ble.device_information import DeviceInformation, system_id_of
from protocols.ble.uuids import DEVICE_INFORMATION
from protocols.deviation import Deviation
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.association import manager_events
from protocols.ieee11073.dim.identity import identity_of


def pair_again(address: str) -> str:
    """Return the advice for an operator to pair the device at `address` again, for example because one side has lost
    the bond."""
    return f"pair it again: argus-gateway ble pair {address}"


class Reading:
    """Reader of the characteristics of one device. `last`: the characteristic that was read last; it is read again to
    check that the device still responds."""

    def __init__(self, requests: GattRequests, notes: GattNotes, clock: Clock, address: str) -> None:
        self.last: Step | None = None
        self._requests = requests
        self._notes = notes
        self._clock = clock
        self._address = address

    async def read(self, step: Step) -> ReadValue | None:
        """Read the characteristic of `step`. If the device refuses, record the refusal and return
        None. Raises BleLost."""
        try:
            value = await self._requests.read(step.profile.service, step.characteristic)
        except BleGattError as error:
            await self.record_refusal(step, error)
            return None
        self.last = step
        return value

    async def record_refusal(self, step: Step, error: BleGattError) -> None:
        """Record as a deviation that the device refused a request for the characteristic of `step`."""
        why = f"; {pair_again(self._address)}" if error.needs_keys else ""
        deviation = Deviation(f"{name_of(*step)}: {error}{why}", "", b"")
        await self._notes.record_deviation(deviation, self._clock.wall_us())


class Identification:
    """Identification of the device on one link. After a failure, `trouble` states what is wrong and what to do."""

    def __init__(
        self,
        context: SessionContext,
        gatt: GattContext,
        link: BleConnection,
        paired: PairedDevice,
        presence: DevicePresence,
        notes: GattNotes,
    ) -> None:
        self.trouble = ""
        self._context = context
        self._gatt = gatt
        self._link = link
        self._paired = paired
        self._presence = presence
        self._notes = notes

    async def identify(self, reading: Reading, usable: Usable) -> str | None:
        """Read the device's identity, claim its system id, and return the id. Return None where the device must not be
        used; `trouble` then has the reason."""
        clock = self._context.clock
        information = await self._read_information(reading, usable)
        system_id = system_id_of(information.system_id_bytes, self._link.address)
        name = system_id.hex()
        if not self._paired.bonded and self._paired.system_id not in ("", name):
            self.trouble = (
                "it names itself as another device than the one that was paired, and no bond proves either; "
                f"{pair_again(self._paired.address)}"
            )
            return None
        verdict = await self._presence.claim(name)
        if verdict is not Verdict.HELD:
            self.trouble = _refused_claim(name, verdict)
            await self._presence.record_refusal(name, verdict, clock.wall_us())
            return None
        await self._presence.arrive(name, instant_of(clock), bonded=self._link.bonded)
        identity = identity_of(system_id, tuple(AvaType(*each) for each in information.attributes))
        instant = instant_of(clock)
        self._presence.recorder.record(manager_events.MdsRead(identity), instant.wall_us)
        await self._presence.identify(identity, instant)
        await self._gatt.identify(self._paired.address, name)
        return name

    async def _read_information(self, reading: Reading, usable: Usable) -> DeviceInformation:
        information = DeviceInformation()
        for step in usable.reads():
            if step.profile.service != DEVICE_INFORMATION:
                break
            if (value := await reading.read(step)) is not None:
                try:
                    information.learn(step.characteristic, value.octets)
                except RemoteProtocolError as error:
                    now_us = self._context.clock.wall_us()
                    await self._notes.record_malformed(name_of(*step), error, value.octets, now_us)
        return information


def _refused_claim(system_id: str, verdict: Verdict) -> str:
    if verdict is Verdict.WEAKER_LINK:
        return (
            f"the system id {system_id} belongs to a device that this gateway knows by a cable or by a bond, and this "
            "link proves nothing; pair the device with a bond, or run: argus-gateway devices accept " + system_id
        )
    return (
        f"a device with the same system id {system_id} is connected on another link, and their values could not be "
        "distinguished: use only one of them"
    )
