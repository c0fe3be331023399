"""The udev rules for serial adapters: udev accepts them, and they agree with the systemd unit and the guide."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[3] / "systemd"
RULES = SYSTEMD / "70-argus-serial.rules"


def rules() -> list[str]:
    return [line for line in RULES.read_text().splitlines() if line and not line.startswith("#")]


def verifies() -> bool:
    """Return whether `udevadm verify` exists; it needs systemd 254 or later."""
    program = shutil.which("udevadm")
    if program is None:
        return False
    return subprocess.run([program, "verify", "--help"], capture_output=True, check=False).returncode == 0


def test_udev_rules_are_accepted_by_udevadm_verify():
    if not verifies():
        pytest.skip("no udevadm with the command verify on this machine")
    # Names of users and groups exist in the vehicle, not on this machine.
    verified = subprocess.run(
        ["udevadm", "verify", "--resolve-names=never", RULES], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_examples_in_the_comments_of_the_udev_rules_are_accepted_by_udevadm_verify(tmp_path: Path):
    if not verifies():
        pytest.skip("no udevadm with the command verify on this machine")
    examples = [line[2:] for line in RULES.read_text().splitlines() if re.match(r"# ENV\{", line)]
    assert len(examples) == 2
    file = tmp_path / "70-examples.rules"
    file.write_text("\n".join(examples) + "\n")
    verified = subprocess.run(["udevadm", "verify", file], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_udev_rules_make_serial_adapters_accessible_only_to_the_group_of_the_service():
    (given,) = [line for line in rules() if line.startswith("GROUP=")]
    group, mode = re.findall(r'"([^"]+)"', given)
    assert mode == "0660"
    assert f"SupplementaryGroups={group}" in (SYSTEMD / "argus-gateway.service").read_text()


def test_udev_rules_file_sorts_after_the_rules_that_read_the_adapter_identity():
    assert RULES.name > "60-serial.rules"


def test_every_goto_of_the_udev_rules_has_a_label():
    text = "\n".join(rules())
    assert set(re.findall(r'GOTO="(\w+)"', text)) == set(re.findall(r'LABEL="(\w+)"', text))
