"""Replays a captured Bluetooth connection through the interpreters of its GATT services, as a session would run them.

A capture does not distinguish reads from notifications. A session reads certain characteristics once at its start. So
the first value of such a characteristic counts as read, and later values as notified.
"""

from collections.abc import Sequence

from gateway.transports.capture import Record
from protocols.ble.device_information import DeviceInformation, system_id_of
from protocols.ble.interpretation import GattEvent, Measured, ServiceInterpreter, Uninterpreted, Use
from protocols.ble.services import PROFILES
from protocols.ble.uuids import DEVICE_INFORMATION, RECORD_ACCESS_CONTROL_POINT
from protocols.deviation import Deviation
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.dim.identity import identity_of
from protocols.uplink.observations import DeviceRef

NO_ADDRESS = "00:00:00:00:00:00"
"""Address of a replayed device, since a capture does not hold it. It matters only for devices that send their system id
in the wrong byte order."""


class GattReplay:
    """Interprets one captured connection. Sentences about the device's deviations are added to `deviations`."""

    def __init__(self, deviations: list[str]) -> None:
        self._deviations = deviations
        self._interpreters: dict[int, ServiceInterpreter] = {}
        self._read: set[tuple[int, int]] = set()

    @property
    def device(self) -> DeviceRef:
        """The device's system id and model, empty before the device has sent them."""
        information = self._interpreters.get(DEVICE_INFORMATION)
        if not isinstance(information, DeviceInformation) or information.system_id_bytes is None:
            return DeviceRef("", "")
        system_id = system_id_of(information.system_id_bytes, NO_ADDRESS)
        identity = identity_of(system_id, tuple(AvaType(*each) for each in information.attributes))
        return DeviceRef(system_id.hex(), identity.model)

    def feed(self, record: Record) -> list[Measured]:
        """Return the measurements that one line of the capture completes; none for a line that the gateway sent."""
        if record.gatt is None or record.dir != "agent->manager":
            return []
        service, characteristic = record.gatt
        profile = PROFILES.get(service)
        if profile is None:
            return []
        interpreter = self._interpreters.setdefault(service, profile.interpreter())
        use = profile.use(characteristic)
        is_read = use is not None and Use.READ in use.uses and record.gatt not in self._read
        self._read.add(record.gatt)
        try:
            if characteristic == RECORD_ACCESS_CONTROL_POINT:
                return self._measured(interpreter.flush())
            if is_read:
                return self._measured(interpreter.learn(characteristic, record.octets))
            return self._measured(interpreter.receive(characteristic, record.octets, record.t_s))
        except RemoteProtocolError as error:
            self._deviations.append(f"{profile.name} 0x{characteristic:04X}: {error}")
            return []

    def end(self) -> list[Measured]:
        """Return the measurements that are incomplete at the end of the capture."""
        return [each for interpreter in self._interpreters.values() for each in self._measured(interpreter.flush())]

    def _measured(self, events: Sequence[GattEvent]) -> list[Measured]:
        for event in events:
            if isinstance(event, Deviation):
                self._deviations.append(f"{event.sentence} ({event.clause})" if event.clause else event.sentence)
            elif isinstance(event, Uninterpreted):
                self._deviations.append(f"0x{event.characteristic:04X}: {event.why}")
        return [event for event in events if isinstance(event, Measured)]
