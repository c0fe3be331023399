"""Commands that fail for lack of permission, a missing file, a read-only disk or a second running gateway.

Each command prints one sentence and exits with an error code, never with a traceback.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.buffer.database import StoreLock
from gateway.cli.provision import provisioned
from gateway.settings import load
from tests.builders.gateway_device import device
from tests.harness.eventually import eventually
from tests.harness.gateway_process import PROGRAM, Finished, Vehicle, begun, vehicle

COMMANDS = ("provision", "run", "status", "devices", "observations", "doctor")


async def with_rights_that_count(*arguments: str | Path) -> Finished:
    """Run a command so that file permissions apply to it. If the tests run as root, the command runs without the
    capabilities that override permissions."""
    dropped = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if dropped and shutil.which("setpriv") is None:
        pytest.skip("root can be refused nothing without setpriv")
    process = await asyncio.create_subprocess_exec(
        *dropped,
        PROGRAM,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Set the mode of `path` to `bits` inside the block, and restore it."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


def assert_one_sentence(finished: Finished, *words: str) -> None:
    assert finished.code == 1, finished
    assert "Traceback" not in finished.err + finished.out
    told = finished.err.strip().splitlines()
    assert len(told) == 1, finished.err
    assert told[0].startswith("argus-gateway: ")
    for word in words:
        assert word in told[0]


@pytest.mark.parametrize("command", COMMANDS)
async def test_command_without_permission_on_the_state_directory_prints_one_sentence(tmp_path: Path, command: str):
    made = Vehicle(tmp_path)
    provisioned(load(made.config))
    with mode(made.state_dir, 0):
        finished = await with_rights_that_count("--config", made.config, command)
    if command == "doctor":
        assert finished.code == 1
        assert "Traceback" not in finished.err
        assert "may not be entered" in " ".join(finished.out.split())
    else:
        assert_one_sentence(finished, str(made.state_dir))


async def test_command_without_permission_on_the_settings_file_prints_one_sentence(tmp_path: Path):
    made = Vehicle(tmp_path)
    with mode(made.config, 0):
        for command in ("provision", "doctor"):
            finished = await with_rights_that_count("--config", made.config, command)
            assert_one_sentence(finished, "cannot be read", "gateway's user")


async def test_provision_command_in_a_read_only_directory_prints_permission_denied(tmp_path: Path):
    made = Vehicle(tmp_path)
    with mode(tmp_path, 0o555):
        assert_one_sentence(await with_rights_that_count("--config", made.config, "provision"), "Permission denied")
    assert not made.state_dir.exists()


@pytest.mark.parametrize("command", ["run", "status", "observations"])
async def test_commands_of_an_unprovisioned_gateway_name_the_provision_command(tmp_path: Path, command: str):
    made = Vehicle(tmp_path)
    # `run` handles signals, which only a process of its own can do.
    execute = made.command if command == "run" else made.invoke
    assert_one_sentence(await execute(command), "provision")
    assert not made.state_dir.exists()


async def test_doctor_command_of_an_unprovisioned_gateway_names_the_provision_command(tmp_path: Path):
    finished = await Vehicle(tmp_path).invoke("doctor")
    assert finished.code == 1
    assert "run argus-gateway provision" in " ".join(finished.out.split())


async def test_second_run_command_is_rejected_while_a_gateway_is_running(tmp_path: Path):
    async with vehicle(tmp_path) as gateway, device(gateway.address) as thermometer:
        await thermometer.measure(36.6)
        before = await gateway.provision()
        assert before["created"] == []
        for command in ("status", "devices", "observations", "doctor"):
            finished = await gateway.invoke(command)
            assert finished.code == 0, finished
        assert_one_sentence(await gateway.command("run"), "Another process has the store")
        assert await thermometer.measure(36.7) == "answered"


async def test_run_and_status_commands_report_a_store_locked_by_an_unresponsive_gateway(tmp_path: Path):
    made = Vehicle(tmp_path)
    provisioned(load(made.config))
    held = StoreLock(made.state_dir / "buffer.sqlite")
    try:
        for command in ("run", "status"):
            assert_one_sentence(await made.command(command), "Another process has the store")
        assert (await made.command("observations", "--json")).code == 0
    finally:
        held.release()


async def listening(address: tuple[str, int]) -> tuple[str, int] | None:
    """Return `address` if a program accepts connections at this address, else None."""
    try:
        _, writer = await asyncio.open_connection(*address)
    except ConnectionRefusedError:
        return None
    writer.close()
    return address


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Remount `folder` read-only inside the block, as the kernel does after a disk error."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a read-only disk needs root and mount")
    try:
        subprocess.run(["mount", "--bind", folder, folder], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing can be mounted here: {error.stderr!r}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True, capture_output=True)


async def test_gateway_on_a_read_only_disk_rejects_measurements(tmp_path: Path):
    async with vehicle(tmp_path) as gateway:
        async with device(gateway.address) as thermometer:
            await thermometer.measure(36.6)
        await gateway.stop()
        with read_only(gateway.state_dir):
            serving = await begun("--config", gateway.config, "run")
            try:
                async with device(await eventually(lambda: listening(gateway.address))) as thermometer:
                    assert await thermometer.measure(36.7, second=1) == "refused", "nothing can be kept"
            finally:
                serving.interrupt()
                served = await serving.end()
            assert (served.code, "Traceback" in served.err + served.out) == (0, False), served
            for command in ("status", "devices", "observations"):
                finished = await gateway.invoke(command)
                assert "Traceback" not in finished.err
                assert finished.code == 0 or len(finished.err.strip().splitlines()) == 1, finished
            doctor = await gateway.invoke("doctor")
            assert doctor.code == 1
            assert "not writable" in " ".join(doctor.out.split())
