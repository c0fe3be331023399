"""Assembly of a simulated Bluetooth device from its kind.

It is apart from the kinds, since the protocol stack is slow to import and the description of a device needs none.
"""

from gateway.transports.clock import Clock
from simulators.agents.device_clock import DeviceClock
from simulators.ble.attach import Air
from simulators.ble.kinds import BLE_KINDS, ble_address_of, ble_description_of
from simulators.ble.peripheral import Peripheral, PeripheralOptions
from simulators.ble.witness import BleWitness
from simulators.physiology.patient import Patient


def build_peripheral(
    kind: str,
    patient: Patient,
    air: Air,
    clock: Clock,
    *,
    device_clock: DeviceClock | None = None,
    witness: BleWitness | None = None,
    options: PeripheralOptions | None = None,
    unit: int = 1,
) -> Peripheral:
    """Return a device of this kind that measures `patient`. `air` is the simulated radio: an ether in this process, or
    the path of a radio's socket.

    Devices with the same patient must share a `device_clock`, because it defines when patient time starts. Raises
    DeviceUnusable, and OSError where a file of `options` cannot be written.
    """
    options = options or PeripheralOptions()
    description = ble_description_of(kind, unit)
    return Peripheral(
        BLE_KINDS[kind].sensor(patient, description),
        ble_address_of(kind, unit, static_random=options.behaviour.static_random),
        air,
        clock,
        device_clock or DeviceClock.switched_on(clock),
        witness=witness,
        options=options,
    )
