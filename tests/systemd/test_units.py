"""Checks of unit-file settings that otherwise only a booted system would test (`make test-systemd`)."""

import re
from pathlib import Path

import pytest

from tests.systemd.guide import commands

UNITS = Path(__file__).parents[2] / "systemd"


def settings(unit: str, name: str) -> list[str]:
    """Return all values of a setting in a unit file, in order."""
    return re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)


@pytest.mark.finding("fleet-1")
def test_gateway_unit_permits_both_system_calls_that_read_the_clock_error():
    """glibc's adjtimex() calls clock_adjtime; a filter that lists only the other name ends the process."""
    permitted: set[str] = set()
    for line in settings("argus-gateway.service", "SystemCallFilter"):
        permitted = permitted - set(line[1:].split()) if line.startswith("~") else permitted | set(line.split())
    assert {"adjtimex", "clock_adjtime"} <= permitted
    assert settings("argus-gateway.service", "ProtectClock") == [], "its filter refuses both names"
    assert settings("argus-gateway.service", "CapabilityBoundingSet") == [""], "so nothing can set the clock"


@pytest.mark.parametrize("unit", ["argus-gateway.service", "argus-cloud.service"])
def test_forbidden_system_call_returns_an_error_and_does_not_end_the_process(unit: str):
    assert settings(unit, "SystemCallErrorNumber") == ["EPERM"]


@pytest.mark.parametrize("unit", ["argus-gateway.service", "argus-cloud.service"])
def test_systemd_unit_starts_the_program_that_the_guide_installs(unit: str):
    installed = "".join(commands("1. Install"))
    assert settings(unit, "ExecStart")[0].startswith("/opt/argus/bin/")
    assert "/opt/argus/bin/pip install" in installed
    assert f"install -m 0644 systemd/{unit} /etc/systemd/system/" in installed
    assert re.search(rf"useradd .* {settings(unit, 'User')[0]}$", installed, re.MULTILINE)
