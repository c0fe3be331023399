"""Issue «Storage and ingest for a thousand vehicles», G, at small size: an installation on one box with SQLite moves to
PostgreSQL, and then from a folder to a bucket, as the guide describes, while its vehicles go on recording.

The broker of the third stage, RabbitMQ, needs a cluster: tests/cluster/test_vehicles_change_broker.py.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

from cloud.vehicles.ingest.staged_object import STAGED
from simulators.fleet.plan import load_or_make, occupied
from tests.harness.eventually import eventually
from tests.harness.postgresql import PostgresqlCluster
from tests.harness.releases import THIS, Installation
from tests.harness.s3_service import BUCKET, S3Service, bucket_settings, running_s3_service
from tests.harness.sending_vehicles import SendingVehicles, broker_for, mqtt_section
from tests.tidy.sources import ROOT

GUIDE = ROOT / "docs" / "operator.md"
RESENT_S_MAX = 90.0
"""Time in which the vehicles have sent again what they sent while no cloud ran: their time-outs are 10 s and 20 s, and
batches are staged only after it."""


def copy_command() -> list[str]:
    """Return the words of the guide's command that copies the database, without the name of the program."""
    (line,) = re.findall(r"-- argus-cloud (copy-database .*)$", GUIDE.read_text(), re.MULTILINE)
    return str(line).split()


@dataclass(frozen=True, slots=True)
class ObjectCopy:
    """The guide's `aws s3 sync --delete`, whose program is no part of the tests: copy the files of a folder that the
    bucket lacks, and remove from the bucket what the folder lacks. Files of the pattern `excluded` do not take part."""

    service: S3Service
    prefix: str
    excluded: str

    @classmethod
    def of_guide(cls, service: S3Service) -> "ObjectCopy":
        form = rf"^ *aws s3 sync --delete --exclude '(\S+)' \S+/objects s3://{BUCKET}/(\S+)$"
        ((excluded, prefix),) = re.findall(form, GUIDE.read_text(), re.MULTILINE)
        return cls(service, prefix, excluded)

    def run(self, folder: Path) -> tuple[int, int]:
        """Return the numbers of copied and of removed objects."""
        client, held = self.service.client, self._held()
        # Not `rglob`, which fails where the cloud removes a folder meanwhile.
        files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
        due = {str(path.relative_to(folder)): path for path in files}
        due = {name: path for name, path in due.items() if not fnmatch(name, self.excluded)}
        copied = 0
        for name in due.keys() - held:
            with suppress(FileNotFoundError):  # the cloud has removed it meanwhile
                client.upload_file(str(due[name]), BUCKET, f"{self.prefix}/{name}")
                copied += 1
        removed = held - due.keys()
        for name in removed:
            client.delete_object(Bucket=BUCKET, Key=f"{self.prefix}/{name}")
        return copied, len(removed)

    def _held(self) -> set[str]:
        pages = self.service.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{self.prefix}/")
        return {each["Key"].removeprefix(f"{self.prefix}/") for page in pages for each in page.get("Contents", ())}


@pytest.mark.pg
@pytest.mark.broker
async def test_vehicles_of_one_box_lose_nothing_when_it_moves_to_postgresql_and_then_to_a_bucket(
    postgresql: PostgresqlCluster, tmp_path: Path
) -> None:
    with occupied(tmp_path / "fleet"):
        plan = load_or_make(tmp_path / "fleet", 2)
    with postgresql.database(template="template0") as url, running_s3_service() as bucket:
        async with broker_for(plan, tmp_path / "broker") as broker:
            # The defaults of both lie beside the SQLite file, so the guide names them.
            folder = tmp_path / "objects"
            kept = f'objects_dir = "{folder}"\n'
            copy = ObjectCopy.of_guide(bucket)
            old = Installation(tmp_path, f"sqlite:///{tmp_path / 'cloud.db'}", mqtt_section(broker), top=kept)
            new = Installation(tmp_path, url, mqtt_section(broker), top=kept)
            objects = bucket_settings(tmp_path, bucket, prefix=copy.prefix)
            last = Installation(tmp_path, url, mqtt_section(broker) + objects)
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
                await eventually(
                    lambda: any((folder / STAGED).glob("*")), within_s=RESENT_S_MAX, what="live batches are staged"
                )
                beside = copy.run(folder)  # the first copy, while the cloud runs
                await service.stop()
                whole = copy.run(folder)
                folder.rename(tmp_path / "no-objects")  # so that a read of it fails
                service = await last.serve(THIS, "last")
                summary = await vehicles.stop()
                compared = await vehicles.compare(THIS, last.config("comparison"))
                checked = await last.console(THIS, "custody", "check", "--rows", "--tenant", plan.tenant_id)
            finally:
                await vehicles.kill()
                await service.stop()
    assert copied["tables"]["gateways"] == 2
    assert copied["tables"]["batches"] > 0
    assert beside[0] > 0, "the first copy has objects"
    assert whole[0] > 0, "a clean stop packs what was staged"
    assert whole[1] > 0, "staged objects of the first copy are not in the folder any more"
    assert compared["comparison"]["differences"] == []
    assert compared["batches_left"] == compared["batches_dropped"] == summary["batches_dropped"] == 0
    observations = sum(lane["observations"] for lane in checked["lanes"])
    assert observations == sum(each["observations_recorded"] for each in (recorded, summary, compared))
    assert all(lane["intact"] for lane in checked["lanes"])
