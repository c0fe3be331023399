"""`argus-cloud serve` as a process: it prints its addresses, becomes ready, and stops in order on request."""

import asyncio
import shutil
import signal
import socket
from pathlib import Path

import pytest

from cloud.foundation.db import migrate
from cloud.settings import read_settings
from tests.builders.cloud_settings import settings_file
from tests.harness.broker import CLOUD_USER, broker_running
from tests.harness.cloud_process import get, serving
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.postgresql import PostgresqlCluster

READY = (200, {"status": "ready", "parts": {"database": "ok", "integrity": "ok", "process": "ok"}})


@pytest.fixture
def config(migrated_sqlite: Path, tmp_path: Path) -> Path:
    return settings_file(tmp_path, database_url=f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'cloud.db')}")


async def test_serve_command_notifies_systemd_when_its_four_hosts_are_ready_and_when_it_stops(
    config: Path, tmp_path: Path
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.setblocking(False)
    async with serving(config, NOTIFY_SOCKET=str(tmp_path / "notify")) as served:
        for host in ("auth", "api", "sandbox", "docs"):
            assert await get(f"http://{served.address(host)}/health/ready") == READY
        assert manager.recv(100) == b"READY=1"
        served.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            assert await served.process.wait() == 0
        assert manager.recv(100) == b"STOPPING=1"
    ends = [event for event in served.events() if event.startswith("cloud.")]  # a background step may end meanwhile
    assert ends[-2:] == ["cloud.stop_requested", "cloud.stopped"]
    assert served.events()[-1] == "cloud.stopped"
    manager.close()


@pytest.mark.pg
async def test_serve_command_runs_on_postgresql(postgresql: PostgresqlCluster, tmp_path: Path) -> None:
    with postgresql.database() as url:
        async with serving(settings_file(tmp_path, database_url=url)) as served:
            assert await get(f"http://{served.address('api')}/health/ready") == READY
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(WITHIN_S):
                assert await served.process.wait() == 0


async def test_serve_command_limited_to_the_worker_starts_no_http_host(config: Path) -> None:
    async with serving(config, "--only", "worker") as served:
        assert "host.listening" not in served.events()
        started = next(line["parts"] for line in served.lines if line["event"] == "cloud.started")
        assert set(started) == {
            "integrity",
            "relay",
            "deliveries",
            "jobs",
            "steps",
            "housekeeping",
            "watches",
            "minute days",
            "waveform orphans",
            "erasures",
            "results",
            "packed numerics",
            "quality indicators",
            "evidence of vehicles",
            "span requests",
            "spans",
        }
        served.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(WITHIN_S):
            assert await served.process.wait() == 0


@pytest.mark.broker
async def test_serve_command_is_live_and_reports_ready_only_while_the_broker_is_reachable(tmp_path: Path) -> None:
    async with broker_running(tmp_path / "broker") as broker:
        hosts = settings_file(tmp_path).read_text().partition("\n")[2]
        password = broker.password_file(CLOUD_USER)
        mqtt = f'[mqtt]\nurl = "{broker.url}"\nusername = "{CLOUD_USER}"\npassword_file = "{password}"'
        config = settings_file(tmp_path, more=f"{hosts}\n{mqtt}")
        await migrate(read_settings(config).database_url, create=True)
        await broker.kill()
        async with serving(config) as served:
            ready, live = (f"http://{served.address('api')}/health/{name}" for name in ("ready", "live"))

            async def answers(status: int) -> bool:
                return (await get(ready))[0] == status

            status, said = await get(ready)
            assert (status, said["parts"]["database"]) == (503, "ok")
            assert "not connected" in said["parts"]["broker"]
            assert (await get(live))[0] == 200
            await broker.start()
            await eventually(lambda: answers(200))
            await broker.kill()
            await eventually(lambda: answers(503))
            await broker.start()
            await eventually(lambda: answers(200))
            await broker.kill()
            await eventually(lambda: answers(503))
            served.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(WITHIN_S):
                assert await served.process.wait() == 0
