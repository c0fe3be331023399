"""Stories (test cases) about a crew's Bluetooth devices, run in order on one vehicle over the real BlueZ.

Each story starts in the state in which the previous story ended. A story prints its observations, and fails by an
assertion.
"""

from collections.abc import Awaitable, Callable

from tests.bluez.stage import PATIENCE_S, Device, Stage, twice
from tests.harness.eventually import eventually

SPO2 = "MDC_PULS_OXIM_SAT_O2"
SYSTOLIC = "MDC_PRESS_BLD_NONINV"

Story = Callable[[Stage], Awaitable[None]]
_devices: dict[str, Device] = {}


async def who_is_near(stage: Stage) -> None:
    """A scan lists every device that advertises, and none of them is paired."""
    _devices["oximeter"] = await stage.device("oximeter")
    _devices["cuff"] = await stage.device("blood-pressure", "--passkey", "135790")
    for device in _devices.values():
        row = await stage.heard(device)
        assert not row["paired"]
        stage.observed(f"heard {row['name']} at {row['address']}, {row['rssi']} dBm, offers {row['offers']}")
    assert not (await stage.ble("list", "--json")).out


async def just_works(stage: Stage) -> None:
    """A device that requires no confirmation is paired, and its readings are in the store from then on."""
    oximeter = _devices["oximeter"]
    await stage.pair(oximeter)
    row = await stage.connected(oximeter)
    assert row["bonded"]
    rows = await stage.readings(oximeter, 3, SPO2)
    assert not twice(rows)
    stage.observed(f"bonded, connected, {len(rows)} saturations, the last {rows[-1]['value']} {rows[-1]['unit']}")


async def six_digits(stage: Stage) -> None:
    """A device that shows six digits bonds only with the right digits; wrong ones are rejected with a message."""
    cuff = _devices["cuff"]
    wrong = await stage.ble("pair", cuff.address, "--yes", "--passkey", "000001")
    assert wrong.code != 0
    assert wrong.err.strip()
    stage.observed(f"wrong digits: {wrong.err.strip().splitlines()[-1]}")
    await stage.pair(cuff, "--passkey", "135790")
    assert (await stage.connected(cuff))["bonded"]
    rows = await stage.readings(cuff, 0)
    stage.observed(f"right digits: bonded; {len(rows)} observations of the cuff")


async def an_interrupted_link(stage: Stage) -> None:
    """After a lost link the gateway reconnects to the device by itself, and no value is stored twice."""
    oximeter = _devices["oximeter"]
    before = len(await stage.readings(oximeter, 0, SPO2))
    for _ in range(3):
        await stage.connected(oximeter)
        await stage.mishap("drop", address=oximeter.address)
        await stage.readings(oximeter, before + 2, SPO2)
        before = len(await stage.readings(oximeter, 0, SPO2))
    rows = await stage.readings(oximeter, 0, SPO2)
    sent = oximeter.told("notified", "confirmed")
    assert len(rows) <= len(sent), f"{len(rows)} saturations of {len(sent)} values that were sent"
    stage.observed(f"three losses; {len(rows)} saturations of {len(sent)} values sent, none twice")


async def out_of_range(stage: Stage) -> None:
    """A device that leaves the radio's range and returns is connected again, and its readings continue."""
    oximeter = _devices["oximeter"]
    await stage.mishap("silence", address=oximeter.address, on=True)
    await stage.connected(oximeter, yes=False)
    stage.observed("gone: " + str((await stage.listed(oximeter))["trouble"] or "not connected"))
    await stage.mishap("silence", address=oximeter.address, on=False)
    before = len(await stage.rows(oximeter))
    await stage.connected(oximeter)
    await stage.readings(oximeter, before)
    stage.observed("back by itself, readings go on")


async def a_memory(stage: Stage) -> None:
    """Each record that a meter stored while disconnected is fetched exactly once, over several connections."""
    meter = _devices["meter"] = await stage.device("glucose")
    await stage.heard(meter)
    await stage.pair(meter)

    def stored() -> int:
        return len({line.split(" ")[2] for line in meter.told("kept")})

    async def dates() -> list[str]:
        return [row["device_time"] for row in await stage.rows(meter) if row["type"].startswith("MDC_CONC_GLU")]

    counts = []
    for _ in range(2):
        held = stored() + 1
        await eventually(lambda held=held: stored() >= held, within_s=3 * PATIENCE_S, what="one more stored record")
        await stage.mishap("drop", address=meter.address)

        async def fetched(held: int = held) -> bool:
            return len(set(await dates())) >= held

        await eventually(fetched, within_s=PATIENCE_S, poll_s=1.0, what="every record that was stored")
        found = await dates()
        assert len(found) == len(set(found)), "a record is there once"
        counts.append(len(found))
    assert counts[0] < counts[1]
    stage.observed(f"{counts[0]} records after one visit, {counts[1]} after another, none twice")
    await meter.off()


async def the_adapter_is_pulled_out(stage: Stage) -> None:
    """The gateway reports a removed adapter, and reconnects to the device when the adapter returns."""
    oximeter = _devices["oximeter"]
    await stage.mishap("vhci", on=False)

    async def trouble() -> str:
        done = await stage.ble("scan", "--json", "--for", "2")
        return done.err.strip()

    stage.observed(await eventually(trouble, within_s=PATIENCE_S, poll_s=1.0, what="words about the adapter"))
    before = len(await stage.rows(oximeter))
    await stage.mishap("vhci", on=True)
    await stage.connected(oximeter)
    await stage.readings(oximeter, before)
    stage.observed("plugged in again: connected, readings go on")


async def bluetoothd_is_killed(stage: Stage) -> None:
    """After bluetoothd was killed and restarted, the device is still bonded and its readings continue."""
    oximeter = _devices["oximeter"]
    await stage.kill_bluetoothd()
    before = len(await stage.rows(oximeter))
    await stage.start_bluetoothd()
    await stage.connected(oximeter)
    await stage.readings(oximeter, before + 1)
    assert (await stage.listed(oximeter))["bonded"]
    stage.observed("a new bluetoothd: connected without pairing, readings go on")


async def the_gateway_is_killed(stage: Stage) -> None:
    """BlueZ keeps a killed gateway's connections; the next gateway ends them, reconnects, and stores no value twice."""
    oximeter = _devices["oximeter"]
    await stage.vehicle.kill()
    before = len(await stage.rows(oximeter))
    await stage.vehicle.start()
    await stage.connected(oximeter)
    rows = await stage.readings(oximeter, before + 1)
    assert not twice(rows)
    saturations, sent = [row for row in rows if row["type"] == SPO2], oximeter.told("notified", "confirmed")
    assert len(saturations) <= len(sent), f"{len(saturations)} saturations of {len(sent)} values that were sent"
    stage.observed("a new gateway: connected, readings go on, none twice")


async def a_forgotten_bond(stage: Stage) -> None:
    """The gateway reports a device's lost bond with the remedy; after pairing again, readings continue."""
    oximeter = _devices["oximeter"]
    await oximeter.off()
    oximeter.bonds.unlink()
    before = len(await stage.rows(oximeter))
    await oximeter.on()

    async def words() -> str:
        return str((await stage.listed(oximeter))["trouble"] or "")

    said = await eventually(
        lambda: _containing(words, "pair"), within_s=2 * PATIENCE_S, poll_s=1.0, what="words about the bond"
    )
    stage.observed(f"told: {said}")
    assert len(await stage.rows(oximeter)) == before, "without a bond it gives nothing"
    await stage.pair(oximeter, "--again")
    await stage.readings(oximeter, before)
    stage.observed("paired again: readings go on")


async def somebody_elses_address(stage: Stage) -> None:
    """No value is stored from another device that has the address of a paired device but not its keys."""
    oximeter = _devices["oximeter"]
    await oximeter.off()
    await stage.connected(oximeter, yes=False)
    before = len(await stage.rows(oximeter))
    bond = oximeter.bonds.read_bytes()
    oximeter.bonds.unlink()
    stranger = await stage.device("oximeter", "--open")
    tried = stranger.connections() + 2
    await eventually(
        lambda: stranger.connections() >= tried, within_s=2 * PATIENCE_S, what="the gateway tries it twice"
    )
    assert len(await stage.rows(oximeter)) == before
    assert not (await stage.listed(oximeter))["connected"]
    stage.observed(f"a stranger at {stranger.address} was connected to twice and nothing of it is recorded")
    await stranger.off()
    oximeter.bonds.write_bytes(bond)
    await oximeter.on()
    await stage.readings(oximeter, before)
    stage.observed("the real one is back: readings go on")


async def _containing(words: Callable[[], Awaitable[str]], word: str) -> str:
    said = await words()
    return said if word in said else ""


STORIES: tuple[Story, ...] = (
    who_is_near,
    just_works,
    six_digits,
    an_interrupted_link,
    out_of_range,
    a_memory,
    the_adapter_is_pulled_out,
    bluetoothd_is_killed,
    the_gateway_is_killed,
    a_forgotten_bond,
    somebody_elses_address,
)
