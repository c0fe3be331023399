"""Compose a process of the cloud from its slices (one folder per capability), run it, and stop it in order.

`serve` runs all roles (api, ingest, worker) in one process, or with `--only` some of them; such processes share only
the database. After SIGTERM the HTTP server finishes its requests, ingest acknowledges its current group of batches, and
the event relay finishes its current event. At the deadline the rest is cancelled. The database is closed last.
"""

import asyncio
import signal
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from cloud.foundation.checks import Check, StoppingCheck
from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.db import open_database, refresh_statistics
from cloud.foundation.errors import DomainError
from cloud.foundation.housekeeping import WATCHES_EVERY_S, Chore, Housekeeping
from cloud.foundation.http import HostsSection
from cloud.foundation.ids import UlidIds
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.observability import Heartbeat, Metrics, MetricsSection, MetricsServer, make_heartbeat, notify
from cloud.foundation.process import Process, Role
from cloud.foundation.settings import Settings, SettingsUnusable
from cloud.foundation.steps import StepRunner
from cloud.foundation.tracing import Spans, spans_of
from cloud.slices import SLICES
from cloud.supplies import make_process
from cloud.surface import Surface, make_surface

log = structlog.get_logger()

# Longer than a commit of a full group and a slow request together, shorter than systemd's timeout (90 s).
STOP_S_MAX = 20.0


@dataclass(frozen=True)
class Running:
    """The background loops of a process, its HTTP surface (None without the api role), its metrics server (None without
    `[metrics]`), and the recorder of its spans."""

    loops: Sequence[Loop]
    spans: Spans
    surface: Surface | None
    metrics: MetricsServer | None


def build(process: Process, checks: list[Check], stopping: asyncio.Event, heartbeat: Heartbeat) -> Running:
    """Build the parts of this process without starting them, and append its readiness checks to `checks`. Raises
    `SettingsUnusable` when a role lacks its section of the settings."""
    settings, roles, clock = process.settings, process.roles, process.clock
    jobs = jobs_of(process)
    checks.extend([*(check for one in jobs for check in one.checks), StoppingCheck(stopping)])
    loops = [loop for one in jobs for loop in one.loops]
    metrics = Metrics()
    surface = None
    if Role.API in roles:
        if settings.find(HostsSection) is None:
            raise SettingsUnusable(
                "([hosts.auth], [hosts.api], [hosts.sandbox] and [hosts.docs] are required to serve.)"
            )
        surface = make_surface(process, metrics)
    if Role.WORKER in roles:
        chores = [chore for one in jobs for chore in one.chores]
        # Once for each process: PostgreSQL only warns about tables that our account does not own, and skips them.
        statistics = Chore("statistics", refresh_statistics, repeats=False)
        watches = [*(chore for one in jobs for chore in one.watches), statistics]
        steps = [step for one in jobs for step in one.steps]
        loops.append(Loop("steps", StepRunner(process.database, clock, steps).run))
        loops.append(Loop("housekeeping", Housekeeping(process.database, clock, chores).run))
        loops.append(Loop("watches", Housekeeping(process.database, clock, watches, WATCHES_EVERY_S).run))
    section = settings.find(MetricsSection)
    samplers = [("event loop", heartbeat.sample), *(sampler for one in jobs for sampler in one.samplers)]
    figures = None if section is None else MetricsServer(metrics, section.listen, samplers)
    return Running(loops, process.shared(spans_of), surface, figures)


def jobs_of(process: Process) -> Sequence[Jobs]:
    """Return the background work of all slices (capabilities). Raises `SettingsUnusable` when a role lacks settings."""
    return [one.load(one.jobs)(process) for one in SLICES if one.jobs is not None]


async def serve(settings: Settings, roles: Collection[Role], clock: Clock | None = None) -> None:
    """Run these roles until SIGTERM or SIGINT. If `clock` is None, the system's clock is used. Raises `DomainError` if
    the start fails."""
    clock = clock or SystemClock()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    heartbeat = make_heartbeat(clock)
    # The heartbeat runs from start to end: the watchdog also watches the stop.
    beating = asyncio.create_task(heartbeat.run(), name="heartbeat")
    try:
        await _serve(settings, roles, clock, stopping, heartbeat)
    finally:
        beating.cancel()


async def _serve(
    settings: Settings, roles: Collection[Role], clock: Clock, stopping: asyncio.Event, heartbeat: Heartbeat
) -> None:
    database = await open_database(settings.database_url)
    try:
        checks: list[Check] = []
        process = make_process(settings, database, clock, UlidIds(clock), roles, checks)
        running = build(process, checks, stopping, heartbeat)
        surface = running.surface
        try:
            if running.metrics is not None:
                await running.metrics.start()
            if surface is not None:
                await surface.tokens.start()
                await surface.server.start()
            await _run(running, stopping)
            log.info("cloud.stopped")
        finally:
            if surface is not None:
                await surface.server.stop()
            if running.metrics is not None:
                await running.metrics.stop()
            with suppress(DomainError):  # the database is lost, and with it the last spans
                await running.spans.flush()
    finally:
        await database.close()


async def _run(parts: Running, stopping: asyncio.Event) -> None:
    """Run the loops and the HTTP surface until a stop is requested, then give the loops `STOP_S_MAX` to finish. A loop
    that fails ends the process, and systemd restarts it."""
    surface = parts.surface
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(loop.run(stopping), name=loop.name) for loop in parts.loops]
        finishing = asyncio.Event()  # set after the response to the last request
        running.append(tasks.create_task(parts.spans.run(finishing), name="spans"))
        if surface is not None and surface.limits is not None:
            running.append(tasks.create_task(surface.limits.run(finishing), name="limits"))
        log.info("cloud.started", parts=[task.get_name() for task in running])
        notify("READY=1")
        await stopping.wait()
        log.info("cloud.stop_requested")
        notify("STOPPING=1")
        if surface is not None:
            await surface.server.stop()
        finishing.set()
        _, late = await asyncio.wait(running, timeout=STOP_S_MAX)
        for task in late:
            log.warning("cloud.part_cancelled", part=task.get_name())
            task.cancel()
