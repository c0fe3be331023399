"""A crew member pairs two devices at the console; they connect by themselves until one of them is forgotten."""

from pathlib import Path

from gateway.console.control import query
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.options import Pairing
from tests.harness.ble_vehicle import at_the_console, ble, ble_vehicle, on_air, radio_process
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle

SHOWS_DIGITS = BleBehaviour(pairing=Pairing.PASSKEY)


async def connected(made: Vehicle) -> set[str]:
    """Return the addresses of the paired devices that are connected now."""
    return {each["address"] for each in (await query(made.control_path, "ble"))["paired"] if each["connected"]}


async def test_ble_commands_scan_pair_and_forget_devices_across_a_gateway_restart(tmp_path: Path) -> None:
    async with (
        radio_process(tmp_path) as radio,
        ble_vehicle(tmp_path, radio) as ambulance,
        on_air(radio) as oximeter,
        on_air(radio, "thermometer", behaviour=SHOWS_DIGITS) as thermometer,
        on_air(radio, unit=2) as neighbours,
    ):
        scanned = await ble(ambulance, "scan", "--for", "0.5")
        assert scanned.code == 0, scanned.err
        assert oximeter.address in scanned.out
        assert "Pulse Oximeter" in scanned.out
        assert "not paired" in scanned.out

        console = await at_the_console(ambulance, "pair", oximeter.address)
        await console.until_shown("[y/N]: ")
        console.type("y")
        paired = await console.end()
        assert paired.code == 0, paired.err
        assert "Paired with a bond." in paired.out

        console = await at_the_console(ambulance, "pair", thermometer.address)
        await console.until_shown("[y/N]: ")
        console.type("yes")
        await console.until_shown("six digits. Type them: ")
        shown = await eventually(lambda: thermometer.status.passkey)
        console.type(f"{shown:06d}")
        paired = await console.end()
        assert paired.code == 0, paired.err

        async def served() -> bool:
            return await connected(ambulance) == {oximeter.address, thermometer.address}

        async def stored() -> bool:
            status = await ambulance.status()
            return bool(status["bluetooth"]["connected"] == 2 and status["lanes"]["numeric"]["last"] > 0)

        await eventually(served, what="both are connected")
        await eventually(stored, what="their values are stored")
        assert neighbours.status.connections == 0, "nobody asked for that one"

        await ambulance.kill()
        await ambulance.start()
        await eventually(served, what="they are back after the gateway was killed")

        forgotten = await ble(ambulance, "forget", oximeter.address)
        assert forgotten.code == 0, forgotten.err
        (row,) = (await ble(ambulance, "list", "--json")).json_lines()
        assert (row["address"], row["bonded"], row["trouble"]) == (thermometer.address, True, None)
        await eventually(lambda: not oximeter.status.connected, what="it is let go")

        assert await ambulance.stop() == 0
