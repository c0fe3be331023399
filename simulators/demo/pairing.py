"""Pair the demo's Bluetooth devices over the gateway's control socket, as the crew does with `argus-gateway ble pair`.

No user interaction is needed, because the simulated devices have no display and the demo has their addresses. Bonds
outlast restarts on both sides, so pairing is needed once for a state folder; a paired device is skipped.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gateway.console.control import ControlUnavailable, Conversation
from simulators.demo.fleet import DemoDevice
from simulators.demo.gateway_status import query_gateway
from simulators.demo.readiness import eventually


async def pair_devices(
    control_socket: Path, devices: Sequence[DemoDevice], said: Callable[[str], None], within_s: float
) -> None:
    """Pair each device that is not paired, within `within_s`; call `said` with each step. Raises `DemoNotReady`."""
    answer = await query_gateway(control_socket, "ble") or {}
    paired = {each["address"] for each in answer.get("paired", ())}
    for device in devices:
        if device.address not in paired:
            said(f"pairing the {device.name}")
            await eventually(f"the pairing of the {device.name}", _paired(control_socket, device), within_s)


def _paired(control_socket: Path, device: DemoDevice) -> Callable[[], Awaitable[bool]]:
    """Return a function that makes one attempt to pair and returns True on success. An attempt may fail because the
    device is not discovered yet, or because the adapter is starting."""

    async def attempt() -> bool:
        request = {"ask": "ble pair", "address": device.address, "yes": True}
        try:
            async with Conversation(control_socket, request) as conversation:
                async for line in conversation.lines():
                    if "done" in line:
                        return True
                    if "failed" in line:
                        return False
        except (ControlUnavailable, OSError):
            return False
        return False

    return attempt
