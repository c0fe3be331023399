"""The udev rules for serial adapters: udev itself accepts them, and they match the systemd unit and the guide."""

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
    """Return whether `udevadm verify` exists; it came with systemd 254."""
    program = shutil.which("udevadm")
    if program is None:
        return False
    return subprocess.run([program, "verify", "--help"], capture_output=True, check=False).returncode == 0


def test_udev_accepts_the_rules():
    if not verifies():
        pytest.skip("no udevadm with the command verify on this machine")
    # Names of users and groups exist in the vehicle, not on this machine.
    verified = subprocess.run(
        ["udevadm", "verify", "--resolve-names=never", RULES], capture_output=True, text=True, check=False
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_examples_in_the_comments_are_rules_too(tmp_path: Path):
    if not verifies():
        pytest.skip("no udevadm with the command verify on this machine")
    examples = [line[2:] for line in RULES.read_text().splitlines() if re.match(r"# ENV\{", line)]
    assert len(examples) == 2
    file = tmp_path / "70-examples.rules"
    file.write_text("\n".join(examples) + "\n")
    verified = subprocess.run(["udevadm", "verify", file], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_adapters_belong_to_the_group_that_the_unit_is_in_and_to_nobody_else():
    (given,) = [line for line in rules() if line.startswith("GROUP=")]
    group, mode = re.findall(r'"([^"]+)"', given)
    assert mode == "0660"
    assert f"SupplementaryGroups={group}" in (SYSTEMD / "argus-gateway.service").read_text()


def test_the_rules_come_after_the_ones_that_ask_the_adapter_who_it_is():
    assert RULES.name > "60-serial.rules"


def test_no_rule_jumps_to_a_place_that_is_not_there():
    text = "\n".join(rules())
    assert set(re.findall(r'GOTO="(\w+)"', text)) == set(re.findall(r'LABEL="(\w+)"', text))
