"""Issue «Storage and ingest for a thousand vehicles», G, at small size: an installation on one box with SQLite moves to
PostgreSQL with the commands of the guide, while its vehicles go on recording.

The third stage, RabbitMQ, needs a cluster: tests/cluster/test_vehicles.py.
"""

import re
from pathlib import Path

import pytest

from simulators.fleet.plan import load_or_make, occupied
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.releases import THIS, Installation
from tests.harness.sending_vehicles import SendingVehicles, broker_for, mqtt_section
from tests.tidy.sources import ROOT

GUIDE = ROOT / "docs" / "operator.md"


def copy_command() -> list[str]:
    """Return the words of the guide's command that copies the database, without the name of the program."""
    (line,) = re.findall(r"-- argus-cloud (copy-database .*)$", GUIDE.read_text(), re.MULTILINE)
    return str(line).split()


@pytest.mark.pg
@pytest.mark.broker
async def test_vehicles_of_one_box_lose_nothing_when_it_moves_to_postgresql(
    postgresql: PostgresqlCluster, tmp_path: Path
) -> None:
    with occupied(tmp_path / "fleet"):
        plan = load_or_make(tmp_path / "fleet", 2)
    with postgresql.database(template="template0") as url:
        async with broker_for(plan, tmp_path / "broker") as broker:
            # The defaults of both lie beside the SQLite file, so the guide names them.
            kept = f'objects_dir = "{tmp_path / "objects"}"\n'
            old = Installation(tmp_path, f"sqlite:///{tmp_path / 'cloud.db'}", mqtt_section(broker), top=kept)
            new = Installation(tmp_path, url, mqtt_section(broker), top=kept)
            await old.console(THIS, "init")
            vehicles = SendingVehicles(plan, broker, tmp_path / "broker" / "passwords", tmp_path / "vehicles.log")
            service = await old.serve(THIS, "old")
            try:
                recorded = await vehicles.compare(THIS, old.config("registration"))
                # What they sent while no cloud ran is not acknowledged before their time-outs of 10 s and 20 s. The
                # comparison after it sends it at once, on new connections.
                await vehicles.start(THIS, drain_s=2.0)
                await service.stop()
                command, settings = copy_command()
                copied = await old.console(
                    THIS, command, settings.replace("/etc/argus/new.toml", str(new.config("new")))
                )
                service = await new.serve(THIS, "new")
                summary = await vehicles.stop()
                compared = await vehicles.compare(THIS, new.config("comparison"))
                checked = await new.console(THIS, "custody", "check", "--rows", "--tenant", plan.tenant_id)
            finally:
                await vehicles.kill()
                await service.stop()
    assert copied["tables"]["gateways"] == 2
    assert copied["tables"]["batches"] > 0
    assert compared["comparison"]["differences"] == []
    assert compared["batches_left"] == compared["batches_dropped"] == summary["batches_dropped"] == 0
    observations = sum(lane["observations"] for lane in checked["lanes"])
    assert observations == sum(each["observations_recorded"] for each in (recorded, summary, compared))
    assert all(lane["intact"] for lane in checked["lanes"])
