"""`argus-gateway store recover` saves every readable batch of a damaged store and counts the unreadable ones."""

import json
from pathlib import Path

import pytest

from gateway.buffer.database import PAGE_BYTES
from gateway.cli.provision import provisioned
from gateway.settings import load
from protocols.uplink.lanes import Lane
from tests.builders.damaged_stores import damage_leaf_page
from tests.builders.gateway_device import device
from tests.harness.gateway_process import Finished, Vehicle, vehicle


async def measured(gateway: Vehicle, values: int) -> None:
    await gateway.start()
    async with device(gateway.address) as thermometer:
        for number in range(values):
            assert await thermometer.measure(36.0 + number / 10, second=number) == "answered"
    await gateway.stop()


async def recover(gateway: Vehicle, *arguments: str | Path) -> Finished:
    return await gateway.invoke("store", "recover", *arguments)


@pytest.mark.finding("reliability-A3")
async def test_recover_command_saves_readable_blocks_and_counts_lost_blocks(tmp_path: Path) -> None:
    async with vehicle(tmp_path, started=False) as gateway:
        for _ in range(3):  # each stop completes a batch
            await measured(gateway, 10)
        store = gateway.state_dir / "buffer.sqlite"
        damage_leaf_page(store, Lane.NUMERIC)
        aside = store.rename(store.with_name("damaged"))
        epoch = provisioned(load(gateway.config), new_store=True).epoch
        before = aside.read_bytes()
        finished = await recover(gateway, "damaged", "--json", "--observations", tmp_path / "out")
        assert finished.code == 0, finished.err
        said = finished.json()
        numeric = said["lanes"]["numeric"]
        assert said["epoch"] != epoch
        assert numeric["lost_batches"] > 0
        assert numeric["observations"] + numeric["lost_observations"] == 30
        rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
        assert said["observations_written"] == len(rows) == numeric["observations"]
        assert {row["epoch"] for row in rows} == {said["epoch"]}
        assert (tmp_path / "out").stat().st_mode & 0o077 == 0
        assert aside.read_bytes() == before
        again = await recover(gateway, "damaged")
        assert again.code == 1
        assert "exists" in again.err


async def test_recover_command_rejects_a_file_that_is_missing_or_in_use_or_not_a_store(tmp_path: Path) -> None:
    async with vehicle(tmp_path, started=False) as gateway:
        (gateway.state_dir / "noise").write_bytes(b"\x0d" * 3 * PAGE_BYTES)
        for name, says in (("noise", "nothing of"), ("absent", "does not exist"), ("buffer.sqlite", "in use")):
            finished = await recover(gateway, name)
            assert finished.code == 1
            assert says in finished.err
            assert "Traceback" not in finished.err
