"""A serial port that cannot be opened is reported in one sentence with the cause, the effect and the remedy."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.transports.port_trouble import PortTrouble, TroubleKind, holders_of, trouble_of
from gateway.transports.serial_port import SerialPort
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock
from tests.harness.pty_pair import pty_pair

NOBODY = 65_534
HOLD = """
import fcntl, sys
port = open({path!r}, "rb+", 0)
fcntl.flock(port, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


async def trouble(path: Path | str, baud: int = 115_200) -> PortTrouble:
    """Try once to open a serial port that cannot be opened, and return the reason that the gateway reports."""
    port = SerialPort(str(path), baud, "raw", clock=MovedClock())
    accepting = asyncio.ensure_future(port.accept())
    found = await eventually(lambda: port.trouble, what="a first try that failed")
    await port.close()
    with pytest.raises(ConnectionAbortedError):
        await accepting
    assert found is not None
    assert (
        "its device cannot connect" in found.sentence
        or "no device can connect" in found.sentence
        or ("one reader" in found.sentence)
    )
    return found


async def test_missing_serial_port_is_reported_as_absent(tmp_path: Path):
    found = await trouble(tmp_path / "ttyNone")
    assert found.kind is TroubleKind.ABSENT
    assert f"{tmp_path / 'ttyNone'} is not there" in found.sentence
    assert "argus-gateway ports" in found.sentence


async def test_missing_serial_port_with_a_udev_name_is_reported_with_its_target(tmp_path: Path):
    (tmp_path / "monitor").symlink_to(tmp_path / "ttyUSB7")
    found = await trouble(tmp_path / "monitor")
    assert found.kind is TroubleKind.STALE
    assert f"leads to {tmp_path / 'ttyUSB7'}, which is not there" in found.sentence


async def test_file_or_directory_is_reported_as_not_a_serial_port(tmp_path: Path):
    (tmp_path / "file").write_text("text")
    for path in (tmp_path / "file", tmp_path, Path("/dev/null")):
        found = await trouble(path)
        assert found.kind is TroubleKind.NO_PORT, path
        assert "is no serial port" in found.sentence


async def test_inaccessible_port_without_group_access_is_reported_with_its_mode_and_the_udev_rules():
    async with pty_pair() as pair:
        Path(pair.left).chmod(0o600)
        with as_somebody_else():
            found = await trouble(pair.left)
        assert found.kind is TroubleKind.FORBIDDEN
        assert "mode 0600" in found.sentence
        assert "70-argus-serial.rules" in found.sentence


async def test_inaccessible_port_with_group_access_is_reported_with_the_usermod_command():
    async with pty_pair() as pair:
        Path(pair.left).chmod(0o660)
        if os.geteuid() == 0:
            os.chown(pair.left, 0, 5)
        with as_somebody_else():
            found = await trouble(pair.left)
        assert found.kind is TroubleKind.FORBIDDEN
        assert "usermod -aG" in found.sentence


async def test_busy_serial_port_is_reported_with_the_process_that_uses_it():
    async with pty_pair() as pair:
        program = HOLD.format(path=pair.left)
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert other.stdout is not None
            await other.stdout.readline()
            assert other.pid in holders_of(pair.left)
            found = await trouble(pair.left)
            assert found.kind is TroubleKind.BUSY
            assert f"(process {other.pid})" in found.sentence
        finally:
            await other.communicate(b"")


async def test_serial_port_configured_under_two_names_is_reported_as_a_duplicate(tmp_path: Path):
    async with pty_pair() as pair:
        (tmp_path / "by-id").symlink_to(pair.left)
        held = await SerialPort(pair.left, 9600, "raw").accept()
        found = await trouble(tmp_path / "by-id")
        assert found.kind is TroubleKind.BUSY
        assert "two [[serial]] sections lead to the same port" in found.sentence
        await held.close()


def test_unsupported_baud_rate_is_reported_with_the_rate():
    with_terminal, other_end = os.openpty()
    try:
        found = trouble_of(os.ttyname(other_end), 3_456_789, ValueError("Failed to set custom baud rate"))
    finally:
        os.close(with_terminal)
        os.close(other_end)
    assert found.kind is TroubleKind.SPEED
    assert "does not take 3456789 baud" in found.sentence


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Run the block as an unprivileged user; skip the test unless it runs as root."""
    if os.geteuid() != 0:
        pytest.skip("only the administrator can make a port of somebody else")
    try:
        os.seteuid(NOBODY)
    except OSError:
        pytest.skip("this container lets nobody change the user")
    try:
        yield
    finally:
        os.seteuid(0)
