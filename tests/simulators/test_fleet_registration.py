"""A fleet keeps its names and registers what the cloud does not have yet."""

import csv
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.transports.clock import SystemClock
from simulators.demo.broker import mosquitto_program
from simulators.fleet import registration
from simulators.fleet.console import Console
from simulators.fleet.plan import PLAN_FILE, FleetPlan, FleetUnusable, load_or_make, occupied
from simulators.fleet.registration import BrokerPasswords, register


class RecordingConsole:
    """A console that records its commands. It has the objects of the commands that it got, and refuses to add one
    twice."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.batches: list[int] = []
        self.ids: dict[str, set[str]] = {"tenants": set(), "organizations": set(), "vehicles": set(), "gateways": set()}

    async def run(self, *commands: Sequence[str], within_s: float = 0.0) -> list[Any]:
        self.batches.append(len(commands))
        return [self._run(words) for words in commands]

    def _run(self, words: Sequence[str]) -> Any:
        self.commands.append(" ".join(words[:2]))
        if words[1] == "list":
            return [{"id": each} for each in sorted(self.ids[words[0]])]
        if words[1] == "add":
            self._add(words[0], words[words.index("--id") + 1])
        if words[1] == "import":
            with Path(words[2]).open(newline="") as file:
                for row in csv.DictReader(file):
                    self._add("vehicles", row["vehicle"])
                    self._add("gateways", row["gateway"])
        return {}

    def _add(self, kind: str, made: str) -> None:
        assert made not in self.ids[kind]
        self.ids[kind].add(made)


async def registered(
    state: Path, vehicles: int, console: RecordingConsole, passwords: BrokerPasswords | None = None
) -> FleetPlan:
    """Register the first `vehicles` vehicles of the fleet in `state`; return the fleet's plan."""
    with occupied(state):
        plan = load_or_make(state, vehicles)
        chosen = plan.vehicles[:vehicles]
        await register(
            plan, chosen, cast(Console, console), SystemClock(), passwords=passwords, notify=lambda line: None
        )
    return plan


async def test_new_fleet_is_registered_without_a_query(tmp_path: Path) -> None:
    console = RecordingConsole()
    plan = await registered(tmp_path, 2, console)
    own = ["tenants add", "organizations add", "gateways import"]
    assert console.commands == [*own, "broker certificate", "broker certificate"]
    assert console.ids["vehicles"] == {each.vehicle_id for each in plan.vehicles}
    assert console.ids["gateways"] == {each.gateway_id for each in plan.vehicles}


async def test_larger_fleet_adds_only_its_further_vehicles(tmp_path: Path) -> None:
    console = RecordingConsole()
    await registered(tmp_path, 1, console)
    console.commands.clear()
    await registered(tmp_path, 3, console)
    assert len(console.ids["gateways"]) == 3
    assert console.commands.count("gateways import") == 1
    assert console.commands.count("tenants add") == 0


async def test_interrupted_registration_continues(tmp_path: Path) -> None:
    console = RecordingConsole()
    await registered(tmp_path, 2, console)
    console.ids["gateways"].clear()
    console.ids["vehicles"].clear()
    console.commands.clear()
    await registered(tmp_path, 2, console)
    assert [each for each in console.commands if not each.endswith("list")] == [
        "gateways import", "broker certificate", "broker certificate",
    ]  # fmt: skip


async def test_certificates_of_many_vehicles_are_issued_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "COMMANDS_MAX", 2)
    console = RecordingConsole()
    await registered(tmp_path, 5, console)
    assert console.batches == [3, 2, 2, 1]


def test_plan_keeps_its_names_and_passwords(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, 2)
    assert load_or_make(tmp_path, 1) == first
    larger = load_or_make(tmp_path, 3)
    assert larger.vehicles[:2] == first.vehicles
    assert (tmp_path / PLAN_FILE).stat().st_mode & 0o077 == 0
    assert first.vehicles[0].password not in repr(first)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"vehicles": [{"id": 1}]}'])
def test_damaged_plan_is_refused_with_a_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / PLAN_FILE).write_text(content)
    with pytest.raises(FleetUnusable, match="is damaged: move"):
        load_or_make(tmp_path, 1)


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FleetUnusable, match="holds no fleet"), occupied(tmp_path):
        pass
    with pytest.raises(FleetUnusable, match="is not a folder"), occupied(tmp_path / "file"):
        pass


def test_second_fleet_in_one_folder_is_refused(tmp_path: Path) -> None:
    with (
        occupied(tmp_path / "state"),
        pytest.raises(FleetUnusable, match="a fleet runs in"),
        occupied(tmp_path / "state"),
    ):
        pass


@pytest.mark.broker
async def test_passwords_are_added_once_and_mosquitto_is_notified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mosquitto_program("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed")
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    file = tmp_path / "passwords"
    file.write_text("gw_other:$7$hash\n")
    file.chmod(0o640)
    for _ in range(2):
        plan = await registered(tmp_path / "state", 2, RecordingConsole(), BrokerPasswords(file, 4711))
    assert signals.count((4711, signal.SIGHUP)) == 1
    lines = file.read_text().splitlines()
    assert [line.partition(":")[0] for line in lines] == ["gw_other", *(each.gateway_id for each in plan.vehicles)]
    assert not any(each.password in line for line in lines for each in plan.vehicles)
    assert file.stat().st_mode & 0o777 == 0o640


async def test_pid_of_no_process_is_refused_before_the_passwords_change(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("")
    with pytest.raises(FleetUnusable, match="name that of mosquitto"):
        await registered(tmp_path / "state", 1, RecordingConsole(), BrokerPasswords(file, 2**22 + 1))
    assert file.read_text() == ""
