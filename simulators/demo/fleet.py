"""Which devices the demo's ambulance carries, how each is connected, and as what the cloud knows it."""

from dataclasses import dataclass
from typing import Literal

from simulators.agents.kinds import description_of
from simulators.demo.bootstrap import Enrolment


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDevice:
    """One device. `kind` is the simulator's, `device_class` the contract's (C-118)."""

    name: str
    kind: str
    link: Literal["serial", "tcp"]
    device_class: str

    @property
    def system_id(self) -> str:
        return description_of(self.kind).system_id.hex()

    @property
    def enrolment(self) -> Enrolment:
        described = description_of(self.kind)
        return Enrolment(
            system_id=self.system_id,
            serial_number=described.serial_number,
            device_class=self.device_class,
            manufacturer=described.manufacturer,
        )


DEMO_DEVICES = (
    DemoDevice(name="defibrillator", kind="defibrillator", link="serial", device_class="defib"),
    DemoDevice(name="monitor", kind="monitor", link="serial", device_class="multiparameter"),
    DemoDevice(name="oximeter", kind="oximeter", link="tcp", device_class="oximeter"),
    DemoDevice(name="blood pressure", kind="blood-pressure", link="tcp", device_class="bp"),
    DemoDevice(name="thermometer", kind="thermometer", link="tcp", device_class="thermometer"),
)
"""Serial ones keep the names of `configuration.SERIAL_DEVICES`."""
