"""The findings of `argus-gateway doctor` about Bluetooth: the machine, the running gateway, and the required bonds."""

from pathlib import Path
from typing import Any

from gateway.cli.doctor_bluetooth import bluetooth_findings, machine_findings
from gateway.settings import BleSection, Settings, load
from tests.harness.gateway_process import Vehicle


def machine(folder: Path, *, adapters: tuple[str, ...] = ("hci0",), soft: str = "0", dbus: bool = True) -> list[str]:
    """Return the findings, each as "grade: sentence", about a machine with these adapters. The settings name `hci0`.

    `soft` is the state of the rfkill switch ("1": blocked), and `dbus` states whether the system bus is present.
    """
    for name in adapters:
        (folder / "bluetooth" / name).mkdir(parents=True)
    switch = folder / "rfkill" / "rfkill0"
    switch.mkdir(parents=True)
    for name, text in (("type", "bluetooth"), ("soft", soft), ("hard", "0")):
        (switch / name).write_text(f"{text}\n")
    socket = folder / "system_bus_socket"
    if dbus:
        socket.touch()
    found = machine_findings("hci0", socket, folder / "bluetooth", folder / "rfkill")
    return [f"{each.grade}: {each.sentence}" for each in found]


def test_doctor_command_finds_no_fault_on_a_machine_with_an_adapter_and_bluez(tmp_path: Path) -> None:
    (found,) = machine(tmp_path)
    assert found.startswith("well: The machine has hci0")


def test_doctor_command_names_each_missing_bluetooth_requirement_and_its_remedy(tmp_path: Path) -> None:
    for number, (lacks, says) in enumerate(
        [
            ({"adapters": ()}, "there is none"),
            ({"adapters": ("hci1", "hci1:64")}, r"there are hci1)"),
            ({"soft": "1"}, "rfkill unblock bluetooth"),
            ({"dbus": False}, "start dbus and bluez"),
        ]
    ):
        (found,) = machine(tmp_path / str(number), **lacks)  # type: ignore[arg-type]  # one case, one keyword
        assert found.startswith("wrong: ")
        assert says in found


def settings_with(folder: Path, ble: BleSection) -> Settings:
    return load(Vehicle(folder).config).model_copy(update={"ble": ble})


def running(**told: Any) -> dict[str, Any]:
    return {
        "bluetooth": {
            "adapter": None,
            "trouble": None,
            "paired": 2,
            "connected": 1,
            "without_bond": 0,
            "troubles": [],
            **told,
        }
    }


def test_doctor_command_reports_the_bluetooth_status_of_the_running_gateway(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, BleSection())
    found = list(bluetooth_findings(settings, running()))
    assert [(each.grade, each.sentence) for each in found] == [
        ("well", "The adapter is up; 1 of 2 paired devices are connected.")
    ]
    trouble = {"address": "C0:FF:EE:00:00:01", "name": "", "trouble": "its bond is gone: pair it again"}
    told = running(trouble="there is no adapter", without_bond=1, troubles=[trouble])
    grades = [each.grade for each in bluetooth_findings(settings, told)]
    assert grades == ["wrong", "unwise", "unwise"]


def test_doctor_command_warns_when_the_settings_do_not_require_a_bond(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, BleSection(require_bond=False))
    assert "require_bond" in list(bluetooth_findings(settings, running()))[-1].sentence


def test_doctor_command_reports_a_bluetooth_stack_that_does_not_load(tmp_path: Path) -> None:
    settings = load(Vehicle(tmp_path).config).model_copy(update={"ble_backend": "no_such_stack:Radio"})
    (found,) = bluetooth_findings(settings, None)
    assert found.grade == "wrong"
    assert "no module no_such_stack" in found.sentence
