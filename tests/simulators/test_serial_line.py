"""Serial lines of simulated devices: where their paths lead while the devices run, and after they have ended."""

import asyncio
import os
import sys
from pathlib import Path

from gateway.transports.serial_port import SerialPort

TERMINALS = 8
"""Terminals that others open after the devices have ended. The kernel gives the lowest free numbers first."""

DEVICES = """
import os, sys
from pathlib import Path
from simulators.demo.serial_line import SerialLine
line = SerialLine(Path(sys.argv[1]))
print(os.path.realpath(sys.argv[1]))
"""


async def test_path_of_a_line_leads_to_no_terminal_of_others_after_its_devices_have_ended(tmp_path: Path):
    port = tmp_path / "monitor"
    devices = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", DEVICES, str(port)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await devices.communicate()
    assert devices.returncode == 0
    assert output.decode().startswith("/dev/pts/")
    ends = [end for _ in range(TERMINALS) for end in os.openpty()]
    try:
        assert port.is_symlink()
        assert SerialPort(str(port), 115_200, "hdlc").leads_to is None
    finally:
        for end in ends:
            os.close(end)
