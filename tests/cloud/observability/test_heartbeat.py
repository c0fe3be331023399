"""The event loop notifies systemd's watchdog whatever the database does, and its longest stall is a metric."""

import asyncio
import signal
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cloud.foundation.db import migrate
from cloud.foundation.observability.heartbeat import BEAT_S, FEED_EVERY_S, Heartbeat
from cloud.foundation.observability.metrics import EVENT_LOOP_STALL_SECONDS_MAX, Metrics
from cloud.foundation.observability.service_manager import watchdog_s
from cloud.settings import read_settings
from tests.builders.cloud_people import HandClock
from tests.builders.cloud_settings import settings_file
from tests.harness.cloud_process import serving
from tests.harness.eventually import WITHIN_S, eventually

UNIT = Path(__file__).parents[3] / "systemd" / "argus-cloud.service"


def make_sleep(clock: HandClock, late_s: list[float]) -> Callable[[float], Awaitable[None]]:
    """Return a sleep function on the test's clock, which sleeps too long by each of these times in turn.

    After the last of them it raises CancelledError.
    """

    async def sleep(seconds: float) -> None:
        if not late_s:
            raise asyncio.CancelledError
        clock.advance(us=int((seconds + late_s.pop(0)) * 1_000_000))

    return sleep


async def beat(late_s: list[float], limit_s: float | None = 30.0) -> tuple[Heartbeat, list[float]]:
    """Run a heartbeat with these delays; return the heartbeat and the times in seconds at which it notified the
    watchdog."""
    clock, fed = HandClock(), list[float]()
    began_s = clock.monotonic_s()
    heartbeat = Heartbeat(
        clock,
        watchdog_s=limit_s,
        feed=lambda: fed.append(round(clock.monotonic_s() - began_s, 3)),
        sleep=make_sleep(clock, late_s),
    )
    with suppress(asyncio.CancelledError):
        await heartbeat.run()
    return heartbeat, fed


@pytest.mark.finding("security-1")
async def test_event_loop_stalls_are_logged_and_the_longest_is_reported_as_a_metric() -> None:
    with capture_logs() as logs:
        heartbeat, _ = await beat([0.0, 0.3, 17.0, 0.0, 1.2])
    metrics = Metrics()
    await heartbeat.sample(metrics)
    assert metrics.value(EVENT_LOOP_STALL_SECONDS_MAX) == pytest.approx(17.0)
    assert [line["seconds"] for line in logs if line["event"] == "event_loop.stalled"] == [17.0, 1.2]


async def test_watchdog_interval_is_the_shorter_of_one_second_and_half_the_watchdog_limit() -> None:
    beats = int(4 * FEED_EVERY_S / BEAT_S)
    _, fed = await beat([0.0] * beats)
    assert fed == [0.0, 1.0, 2.0, 3.0, 4.0]
    _, fed = await beat([0.0] * 8, limit_s=0.5)
    assert fed == [0.0, 0.25, 0.5, 0.75, 1.0]
    _, fed = await beat([0.0] * beats, limit_s=None)
    assert fed == []


def test_watchdog_limit_is_read_from_the_environment_variables_of_systemd() -> None:
    assert watchdog_s({"WATCHDOG_USEC": "30000000"}) == 30.0
    assert watchdog_s({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}) is None, "it watches another process"
    for text in ("", "0", "-5", "x", "²"):
        assert watchdog_s({"WATCHDOG_USEC": text}) is None


@contextmanager
def listening_systemd(path: Path) -> Iterator[Callable[[], int]]:
    """Receive systemd notifications at the socket `path`; yield a function that returns the number of watchdog
    messages."""
    fed = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)

        def feedings() -> int:
            nonlocal fed
            with suppress(BlockingIOError):
                while True:
                    fed += listener.recv(4096) == b"WATCHDOG=1"
            return fed

        yield feedings


@pytest.mark.finding("security-1")
@pytest.mark.parametrize("words", [(), ("--only", "api"), ("--only", "worker")], ids=["whole", "api", "worker"])
async def test_process_in_every_role_notifies_the_watchdog_while_the_database_is_locked(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    config = settings_file(tmp_path)
    await migrate(read_settings(config).database_url, create=True)
    with listening_systemd(tmp_path / "notify") as feedings:
        async with serving(config, *words, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000") as served:
            with closing(sqlite3.connect(tmp_path / "cloud.db")) as lock:
                lock.execute("BEGIN IMMEDIATE")
                before = feedings()
                await eventually(lambda: feedings() >= before + 10)
                lock.rollback()
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(WITHIN_S):
                assert await served.process.wait() == 0


def test_systemd_unit_sets_a_watchdog_of_thirty_seconds() -> None:
    assert "\nWatchdogSec=30\n" in UNIT.read_text()
