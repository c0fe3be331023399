"""Devices of the demo's ambulance: how each is connected, and its device class in the cloud."""

from dataclasses import dataclass
from typing import Literal

from simulators.agents.device import Description
from simulators.agents.kinds import description_of
from simulators.ble.kinds import ble_address_of, ble_description_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDevice:
    """One device of the demo. `kind` is its kind in the simulators, `device_class` its class in the cloud's API."""

    name: str
    kind: str
    link: Literal["serial", "ble"]
    device_class: str

    @property
    def description(self) -> Description:
        return ble_description_of(self.kind) if self.link == "ble" else description_of(self.kind)

    @property
    def system_id(self) -> str:
        return self.description.system_id.hex()

    @property
    def address(self) -> str:
        """Return the address under which a Bluetooth device is paired. Only for a Bluetooth device."""
        return ble_address_of(self.kind)


DEMO_DEVICES = (
    DemoDevice(name="defibrillator", kind="defibrillator", link="serial", device_class="defib"),
    DemoDevice(name="monitor", kind="monitor", link="serial", device_class="multiparameter"),
    DemoDevice(name="oximeter", kind="oximeter", link="ble", device_class="oximeter"),
    DemoDevice(name="blood pressure", kind="blood-pressure", link="ble", device_class="bp"),
    DemoDevice(name="thermometer", kind="thermometer", link="ble", device_class="thermometer"),
)
"""The devices. Serial ones keep the names of `configuration.SERIAL_DEVICES`. The TCP listener is for the user's own
devices."""

BLE_DEVICES = tuple(device for device in DEMO_DEVICES if device.link == "ble")
