"""Values of a device that has a paired address but not the bond's keys are not stored.

A lost bond is reported with its remedy.
"""

from pathlib import Path

from gateway.sessions.clocks.policy import ClockPolicy
from gateway.sessions.gatt.supervisor import BleSupervisor
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.ether import Ether
from simulators.ble.options import Pairing
from tests.builders.gatt_radio import Bedside, central_on, on_air, pair
from tests.builders.gatt_sessions import gatt_gateway
from tests.harness.eventually import eventually
from tests.harness.hasty_clock import HastyClock

LEAVE_CLOCKS = ClockPolicy(set_clocks=False)
OPEN = BleBehaviour(pairing=Pairing.NONE, encrypted=False)
"""A device that gives its values to any client, and has no bond."""


async def served(supervisor: BleSupervisor) -> None:
    def values() -> bool:
        return any(session.state == "serving" and session.counts.reports for session in supervisor.sessions)

    await eventually(values, what="the device is served")


async def test_values_of_a_device_that_spoofs_a_bonded_address_are_not_stored(tmp_path: Path):
    ether, bedside = Ether(), Bedside(HastyClock(4.0))
    async with (
        gatt_gateway(tmp_path, policy=LEAVE_CLOCKS, real_time=True) as gateway,
        central_on(gateway, ether, tmp_path, tries_max=1) as central,
    ):
        async with on_air(ether, "oximeter", bedside, tmp_path / "real") as real:
            await pair(gateway, central, real.device)
            supervisor = await gateway.supervise(central)
            await served(supervisor)
            address = real.device.address
        await eventually(lambda: not supervisor.sessions)
        before = len(await gateway.stored())
        async with on_air(ether, "oximeter", bedside, tmp_path / "spoofed", behaviour=OPEN) as spoofer:
            assert spoofer.device.address == address
            await eventually(lambda: supervisor.trouble_of(address), what="the trouble is told")
            assert f"argus-gateway ble pair {address}" in supervisor.trouble_of(address)
            assert spoofer.device.status.connections > 0
            assert spoofer.device.status.notified == 0
        assert len(await gateway.stored()) == before
        await gateway.event("ble.device_in_trouble")


async def test_device_that_lost_its_bond_recovers_after_pairing_again(tmp_path: Path):
    ether, bedside = Ether(), Bedside(HastyClock(4.0))
    async with (
        gatt_gateway(tmp_path, policy=LEAVE_CLOCKS, real_time=True) as gateway,
        central_on(gateway, ether, tmp_path, tries_max=1) as central,
        on_air(ether, "oximeter", bedside, tmp_path / "witness") as air,
    ):
        await pair(gateway, central, air.device)
        supervisor = await gateway.supervise(central)
        await served(supervisor)
        await air.device.bonds.delete_all()
        ether.drop(air.device.address)
        await eventually(lambda: supervisor.trouble_of(air.device.address), what="the trouble is told")
        before = len(await gateway.stored())
        gateway.trust.forget(air.device.address)
        await pair(gateway, central, air.device)
        await served(supervisor)
        assert supervisor.trouble_of(air.device.address) == ""
        await gateway.event("ble.device_well_again")
        assert len(await gateway.stored()) > before
