"""A gateway that kills itself at its n-th step. In addition to the steps of `dying_gateway`, GATT writes to a Bluetooth
device and arrivals of its values count as steps.

Steps are counted from the first request to a record access control point, so every step lies in a record transfer.
"""

import sys
from collections.abc import Sequence
from typing import Any

from gateway.cli import main
from gateway.sessions.gatt.requests import GattRequests
from gateway.transports.ble.connection import Arrival
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from tests.harness.dying_gateway import STEPS, patch


def patch_talk() -> None:
    """Count a step before and after each GATT write, and after each arrival of GATT values."""
    write, arrivals = GattRequests.write, GattRequests.arrivals

    async def written(self: GattRequests, service: int, characteristic: int, octets: bytes) -> float:
        STEPS.begun = STEPS.begun or characteristic == RECORD_ACCESS_CONTROL_POINT
        STEPS.step("sending")
        answered_s = await write(self, service, characteristic, octets)
        STEPS.step("sent")
        return answered_s

    async def received(self: GattRequests) -> Sequence[Arrival]:
        arrived = await arrivals(self)
        STEPS.step("received")
        return arrived

    patches: Any = ((GattRequests, "write", written), (GattRequests, "arrivals", received))
    for owner, name, patched in patches:
        setattr(owner, name, patched)


if __name__ == "__main__":
    patch()
    patch_talk()
    sys.argv = ["argus-gateway", *sys.argv[1:]]
    main()
