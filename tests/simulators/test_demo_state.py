"""The state folder of a demo: used by one demo at a time, intact after any interruption, and limited in size."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.demo.broker import BrokerChoice, mosquitto_program, prepare
from simulators.demo.children import Child, Children, Recipe, bound_log
from simulators.demo.free_ports import free_port
from simulators.demo.occupancy import DEMO_LOCK, PARTS_LOCK, occupied
from simulators.demo.plan import SET_UP_BEGUN, SET_UP_DONE, Plan, PlanUnusable, load_or_mint
from tests.harness.eventually import eventually


def plan_in(folder: Path, **ports: int) -> Plan:
    folder.mkdir(exist_ok=True)
    return load_or_mint(folder, seed=1, ports_given=ports)


def test_second_demo_on_the_same_state_directory_is_rejected(tmp_path: Path) -> None:
    with (
        occupied(tmp_path / "state"),
        pytest.raises(PlanUnusable, match=r"a demo runs in .*/state already"),
        occupied(tmp_path / "state"),
    ):
        raise AssertionError("both were let in")
    with occupied(tmp_path / "state"):
        assert (tmp_path / "state" / DEMO_LOCK).exists()


def test_demo_rejects_a_state_directory_that_contains_other_files(tmp_path: Path) -> None:
    (tmp_path / "letters").touch()
    with pytest.raises(PlanUnusable, match="holds no demo"), occupied(tmp_path):
        raise AssertionError("it was let in")
    assert [each.name for each in tmp_path.iterdir()] == ["letters"]


def test_demo_start_waits_for_the_child_processes_of_a_killed_demo(tmp_path: Path) -> None:
    state, last_act = tmp_path / "state", tmp_path / "last_act"
    with occupied(state) as held:
        lives = f"import time; time.sleep(0.5); open({str(last_act)!r}, 'w')"
        left = subprocess.Popen([sys.executable, "-c", lives], pass_fds=(held,))
    with occupied(state):
        assert last_act.exists()
    left.wait()
    assert (state / PARTS_LOCK).exists()


def test_demo_started_again_has_the_same_gateway_tenants_and_ports(tmp_path: Path) -> None:
    first = plan_in(tmp_path)
    (tmp_path / SET_UP_BEGUN).touch()
    (tmp_path / SET_UP_DONE).touch()
    assert plan_in(tmp_path) == first


def test_interrupted_demo_setup_is_repeated_with_new_gateway_and_tenant_ids(tmp_path: Path) -> None:
    first = plan_in(tmp_path)
    (tmp_path / SET_UP_BEGUN).touch()
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "half a store").touch()
    (tmp_path / "cloud.sqlite-wal").touch()
    second = plan_in(tmp_path)
    assert {first.gateway_id, first.first.tenant_id}.isdisjoint({second.gateway_id, second.first.tenant_id})
    assert {each.name for each in tmp_path.iterdir()} == {"plan.json"}


def test_demo_reports_a_network_port_in_use_before_it_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PlanUnusable, match=f"port {port} .* is taken"):
            plan_in(tmp_path, crew=port)
    assert plan_in(tmp_path, crew=free_port()).ports["crew"] != port


def test_demo_uses_the_requested_broker_or_by_default_an_installed_mosquitto(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    broker = prepare(plan, BrokerChoice.IOTCORE)
    assert (broker.kind, broker.why) == ("iotcore", "as requested")
    assert str(plan.ports["mqtt"]) in (tmp_path / "broker" / "rumqttd.toml").read_text()
    chosen = prepare(plan, BrokerChoice.AUTO)
    assert chosen.kind == ("mosquitto" if mosquitto_program() else "iotcore")


def test_broker_files_of_the_demo_are_readable_only_by_their_owner(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    for choice in (BrokerChoice.IOTCORE, BrokerChoice.AUTO):
        prepare(plan, choice)
    assert {each.stat().st_mode & 0o077 for each in (tmp_path / "broker").iterdir()} == {0}


def test_demo_log_file_above_its_size_limit_is_truncated_to_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab") as writer:
        writer.write(b"old " * 100 + b"the end")
        writer.flush()
        bound_log(log, limit_bytes=7)
        writer.write(b"new")
    assert (log.read_bytes(), log.with_suffix(".log.1").read_bytes()) == (b"new", b"the end")
    bound_log(log, limit_bytes=7)
    assert log.read_bytes() == b"new"


async def test_demo_log_file_of_a_child_process_is_limited_in_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.demo.children.LOOK_AT_LOGS_EVERY_S", 0.02)
    log = tmp_path / "chatty.log"
    talking = "import sys, time\nwhile True:\n sys.stdout.write('x' * 65536); sys.stdout.flush(); time.sleep(0.0005)"
    children = Children(lambda: None)
    async with asyncio.TaskGroup() as tasks:
        children.watch_logs(tasks)
        child: Child = children.add(Recipe("chatty", (sys.executable, "-c", talking), log), tasks)
        await eventually(lambda: log.with_suffix(".log.1").exists())
        await eventually(lambda: log.stat().st_size < 8 << 20)
        assert log.with_suffix(".log.1").stat().st_size == 8 << 20
        assert child.starts == 1
        await children.stop()
