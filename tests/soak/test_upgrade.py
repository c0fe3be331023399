"""Issue «Storage and ingest for a thousand vehicles», F: a store of the release before is upgraded while vehicles send,
and the service goes back by one release.

The code of the release before makes a store of five million observations and serves it. Simulated vehicles, of the
release before too, send all their lanes all the time. The database is migrated beside the running service, the services
are replaced one after the other, and the background steps run. Then the release before serves the upgraded database,
and this one again. No batch may wait for its acknowledgement for more than five seconds, and at the end every
observation is in the cloud once. Both releases have the same object store, in which this one stages live batches, on
PostgreSQL as on SQLite. `make test` does the same with a small database (tests/journeys/test_one_release_back.py).
"""

import asyncio
import dataclasses
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud.foundation.db.revisions import RELEASE_BEFORE, known_revisions
from cloud.vehicles.ingest.staged_object import STAGED
from simulators.fleet.plan import load_or_make, occupied
from tests.builders.ingest_cloud import TENANT
from tests.cloud.db.test_migrations import run_sql
from tests.harness import large_store
from tests.harness.eventually import eventually
from tests.harness.large_store import BATCH_ROWS
from tests.harness.postgresql import postgresql_running
from tests.harness.releases import THIS, Installation, Release, Service, release_before
from tests.harness.sending_vehicles import SendingVehicles, broker_for, mqtt_section

FULL = os.environ.get("ARGUS_SOAK") == "1"
OBSERVATIONS = int(os.environ.get("ARGUS_UPGRADE_OBSERVATIONS", "5000000"))
VEHICLES = 2
ACK_S_MAX = 5.0
IN_SERVICE_S = 10.0
"""Time for which each release serves before the next change."""
STEPS_S_MAX = 240.0
INDEX = "ix_observations_clock_time"
OBJECTS = "objects"
"""Name of the folder of the object store, in the folder of the installation."""
UNSTAGED = "[ingest]\nstage_s = 0\n"


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of a database without tables, whose commits are durable."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'cloud.db'}"
        return
    with postgresql_running() as cluster, cluster.database(template="template0") as url:
        yield url


class Story:
    """The events of one upgrade, printed with the seconds since its begin."""

    def __init__(self) -> None:
        self._begin_s = time.monotonic()

    def note(self, what: str) -> None:
        print(f"{time.monotonic() - self._begin_s:6.1f} s  {what}", flush=True)


async def replace(place: Installation, old: Service, release: Release, name: str, story: Story) -> Service:
    """Start the service of a release beside the running one, then stop the running one."""
    new = await place.serve(release, name)
    story.note(f"{release.name} serves")
    await old.stop()
    story.note(f"{old.release.name} has stopped")
    await asyncio.sleep(IN_SERVICE_S)
    return new


async def go_back(place: Installation, present: Service, release: Release, story: Story) -> Service:
    """Replace the running service by the release before, which does not know staged batches, without a pause: a service
    of this release that stages nothing serves between them, as docs/operator.md has it (section 9, "One release
    back")."""
    unstaged = dataclasses.replace(place, mqtt=f"{place.mqtt}{UNSTAGED}")
    between = await replace(unstaged, present, THIS, "unstaged", story)
    return await replace(place, between, release, "back", story)


async def steps_ended(place: Installation, story: Story) -> None:
    """Wait until every background step has ended."""
    seen: dict[str, int] = {}

    async def all_ended() -> bool:
        states = await place.console(THIS, "steps", "list")
        for state in states:
            if seen.get(state["name"]) != state["percent"]:
                seen[state["name"]] = state["percent"]
                story.note(f"step {state['name']}: {state['percent']} %")
            assert state["failure"] is None, state
        return bool(states) and all(state["finished_at"] for state in states)

    await eventually(all_ended, within_s=STEPS_S_MAX, poll_s=1.0, what="all background steps have ended")


async def run_story(place: Installation, vehicles: SendingVehicles, before: Release, kind: str) -> None:
    """Upgrade, go back and upgrade again while the vehicles send, and compare at the end."""
    story = Story()
    service = await place.serve(before, "before")
    try:
        recorded = await vehicles.compare(before, place.config("registration"))
        await vehicles.start(before)
        story.note("the vehicles send to the release before")
        await asyncio.sleep(IN_SERVICE_S)
        migrated = await place.console(THIS, "migrate")
        assert (migrated["before"], migrated["after"]) == (RELEASE_BEFORE, known_revisions()[-1])
        story.note("the database is migrated beside the release before")
        await asyncio.sleep(IN_SERVICE_S)
        service = await replace(place, service, THIS, "upgraded", story)
        assert any((place.folder / OBJECTS / STAGED).iterdir()), "this release stages no batches"
        await steps_ended(place, story)
        service = await go_back(place, service, before, story)
        service = await replace(place, service, THIS, "again", story)
        await steps_ended(place, story)
        summary = await vehicles.stop()
        compared = await vehicles.compare(THIS, place.config("comparison"))
        story.note(f"{kind}: longest wait for an acknowledgement {summary['ack_ms_max']:,.0f} ms")
        checked = await place.console(THIS, "custody", "check", "--rows", "--tenant", vehicles.tenant_id)
        filled = await place.console(THIS, "custody", "check", "--tenant", TENANT)
    finally:
        await vehicles.kill()
        await service.stop()
    for each in (recorded, summary, compared):
        assert each["batches_left"] == each["batches_dropped"] == 0
    assert summary["ack_ms_max"] <= ACK_S_MAX * 1000
    assert compared["comparison"]["differences"] == []
    lanes = (*checked["lanes"], *filled["lanes"])
    assert [lane for lane in lanes if not lane["intact"]] == []
    observations = sum(lane["observations"] for lane in checked["lanes"])
    assert observations == sum(each["observations_recorded"] for each in (recorded, summary, compared))
    assert sum(lane["batches"] for lane in filled["lanes"]) == math.ceil(OBSERVATIONS / BATCH_ROWS)
    story.note(f"{kind}: {observations:,} observations of the vehicles are in the cloud once")


@pytest.mark.skipif(not FULL, reason="five million observations take minutes: make soak ONLY=upgrade")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_store_of_the_release_before_is_upgraded_and_used_by_it_again_while_vehicles_send(
    kind: str, tmp_path: Path
) -> None:
    before = release_before(tmp_path / "before")
    with occupied(tmp_path / "fleet"):
        plan = load_or_make(tmp_path / "fleet", VEHICLES)
    with empty_database(kind, tmp_path) as url:
        # SQLite has this folder by default, and PostgreSQL none, where nothing would be staged or packed.
        kept = f'objects_dir = "{tmp_path / OBJECTS}"\n'
        place = Installation(tmp_path, url, top=kept)
        assert (await place.console(before, "init"))["after"] == RELEASE_BEFORE
        await before.run(large_store.__file__, url, str(OBSERVATIONS), "epoch-a")
        if kind == "postgresql":
            # As after an upgrade from a revision before 0018, whose migration leaves the index to the step.
            await run_sql(url, f"DROP INDEX {INDEX}")
        async with broker_for(plan, tmp_path / "broker") as broker:
            vehicles = SendingVehicles(plan, broker, tmp_path / "broker" / "passwords", tmp_path / "vehicles.log")
            await run_story(Installation(tmp_path, url, mqtt_section(broker), top=kept), vehicles, before, kind)
