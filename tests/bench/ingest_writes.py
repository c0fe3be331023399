"""`ingest.write_amplification`: bytes that the cloud writes to the disk for each byte of the envelopes it receives.

Ten vehicles of a simulated fleet (profile `full`) send for ten minutes to a demo's cloud with SQLite and, at the same
time, as many to one with PostgreSQL, where it is installed: bytes are counted, so the two do not disturb each other.
Counted are the bytes that the cloud's process tree caused to be written, and those of the PostgreSQL server. Before and
after the run, the log is written back to the database (a checkpoint), so that the pages of this run count alone. The
server vacuums and analyses tables by itself, as in an installation, since that writes pages too.
"""

import asyncio
import logging
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import structlog

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import load_or_make
from simulators.fleet.registration import BrokerPasswords
from tests.bench.frame import Figure, plain_figure
from tests.harness.demo import RunningDemo, start_demo
from tests.harness.postgresql import PostgresqlCluster, postgresql_running, programs
from tests.harness.process_figures import written_by_checkpoint, written_bytes

SQLITE, POSTGRESQL = "ingest.write_amplification", "ingest.write_amplification.postgresql"
NAMES = (SQLITE, POSTGRESQL)
WRITTEN_MAX = 3.0
"""Limit of the bytes written per byte received (issue 13, item 1)."""
VEHICLES = 10
REPORT_S = 600.0
DRAIN_S = 60.0
DATABASE = "writes"
# The server fills new files of its log with zeros, in large pieces that Linux (6.16 on ext4) keeps as large folios. A
# write of one page to a folio counts as the whole folio: five times what reaches the disk.
_PLAIN_LOG = (
    "ALTER SYSTEM SET wal_init_zero = off",
    "ALTER SYSTEM SET wal_recycle = off",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "CHECKPOINT",
)


@dataclass(frozen=True, slots=True)
class _Cloud:
    """A demo without devices. `written` brings the database up to date, and returns the bytes written so far."""

    name: str
    demo: RunningDemo
    written: Callable[[], int]


def measure_writes() -> list[Figure]:
    """Measure both databases; return no figure where mosquitto is not installed, and none of PostgreSQL without it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with (
        tempfile.TemporaryDirectory(prefix="argus-bench-writes-") as folder,
        nullcontext() if programs() is None else postgresql_running(autovacuum=True) as cluster,
    ):
        return asyncio.run(_measure(cluster, Path(folder)))


async def _measure(cluster: PostgresqlCluster | None, folder: Path) -> list[Figure]:
    demos = [await start_demo(folder / "sqlite", "--no-devices")]
    try:
        clouds = [_on_sqlite(demos[0])]
        if cluster is not None:
            cluster.administer(f"CREATE DATABASE {DATABASE} TEMPLATE template0", *_PLAIN_LOG)
            demos.append(
                await start_demo(folder / "postgresql", "--no-devices", "--database-url", cluster.url(DATABASE))
            )
            clouds.append(_on_postgresql(demos[1], cluster))
        if any(demo.facts["broker"] != "mosquitto" for demo in demos):
            return []
        return list(await asyncio.gather(*(_amplification(cloud, folder / f"fleet-{cloud.name}") for cloud in clouds)))
    finally:
        for demo in demos:
            await demo.stop()


def _on_sqlite(demo: RunningDemo) -> _Cloud:
    pid, database = demo.pid("cloud"), demo.state_dir / "cloud.sqlite"
    checkpoints = 0

    def written() -> int:
        nonlocal checkpoints
        checkpoints += written_by_checkpoint(database)
        return written_bytes(pid) + checkpoints

    return _Cloud(SQLITE, demo, written)


def _on_postgresql(demo: RunningDemo, cluster: PostgresqlCluster) -> _Cloud:
    pid = demo.pid("cloud")

    def written() -> int:
        cluster.administer("CHECKPOINT")
        return written_bytes(pid) + written_bytes(cluster.pid)

    return _Cloud(POSTGRESQL, demo, written)


async def _amplification(cloud: _Cloud, state: Path) -> Figure:
    facts = cloud.demo.facts
    state.mkdir()
    plan = load_or_make(state, VEHICLES)
    options = FleetOptions(broker_url=facts["mqtt_url"], for_s=REPORT_S, drain_s=DRAIN_S)
    fleet = Fleet(plan, plan.vehicles, options, Console(Path(facts["cloud_config"])), lambda line: None)
    await fleet.register(BrokerPasswords(cloud.demo.state_dir / "broker" / "argus-passwords", cloud.demo.pid("broker")))
    counts: list[int] = []
    summary = await fleet.run(lambda: counts.append(cloud.written()), lambda: counts.append(cloud.written()))
    written, received = counts[1] - counts[0], summary.envelope_bytes_sent
    return plain_figure(
        cloud.name,
        "bytes written per byte received (spread: kB/s written, kB/s received)",
        written / received,
        (written / summary.seconds / 1000, received / summary.seconds / 1000),
        limit=WRITTEN_MAX,
    )
