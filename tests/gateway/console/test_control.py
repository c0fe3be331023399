"""The control socket: only its owner can use it, malformed requests do no harm, and a second gateway cannot bind it."""

import asyncio
import socket
import stat
from contextlib import asynccontextmanager

import pytest

from gateway.console.control import CLIENTS_MAX, ControlServer, ControlUnavailable, GatewayRuns, listen, query
from gateway.sessions.tracing import Taps


@asynccontextmanager
async def control(path, taps=None):
    async def status():
        return {"running": True}

    async with ControlServer(path, {"status": status}, Taps() if taps is None else taps).listening():
        yield path


async def test_control_socket_responds_to_requests_and_is_accessible_only_to_its_owner(tmp_path):
    async with control(tmp_path / "control.sock") as path:
        assert await query(path, "status") == {"running": True}
        assert await query(path, "weather") == {"error": "no such question"}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_control_socket_works_under_a_path_longer_than_the_unix_socket_limit(tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    async with control(folder / "control.sock") as path:
        assert await query(path, "status") == {"running": True}


async def test_control_socket_file_of_a_killed_gateway_is_replaced(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        # A kill closes the process's end of the socket and leaves the file.
        killed.bind(str(path))
    assert path.exists()
    async with control(path):
        assert await query(path, "status") == {"running": True}


async def test_control_socket_of_a_running_gateway_is_not_replaced(tmp_path):
    async with control(tmp_path / "control.sock") as path:
        with pytest.raises(GatewayRuns, match="another gateway runs"):
            async with control(path):
                pass
        assert await query(path, "status") == {"running": True}


@pytest.mark.parametrize(
    "request_line", [b"nonsense\n", b"[1]\n", b'{"ask": 7}\n', b"x" * 10_000 + b"\n", b"x" * 300_000 + b"\n", b""]
)
async def test_invalid_control_request_does_not_affect_the_next_request(tmp_path, request_line):
    async with control(tmp_path / "control.sock") as path:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(request_line)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 30)
        writer.close()
        assert await query(path, "status") == {"running": True}


async def test_control_clients_above_the_limit_are_rejected_until_one_disconnects(tmp_path):
    async with control(tmp_path / "control.sock") as path:
        idle = [await asyncio.open_unix_connection(path) for _ in range(CLIENTS_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(ControlUnavailable):
            await query(path, "status")
        for _, writer in idle:
            writer.close()
        for reader, _ in idle:
            await reader.read()
        assert await query(path, "status") == {"running": True}


async def test_capture_client_of_one_link_receives_no_traffic_of_other_links(tmp_path):
    taps = Taps()
    async with control(tmp_path / "control.sock", taps) as path:
        lines = listen(path, "tcp:a")
        assert await anext(lines) == {"listening": True}
        taps.trace("tcp:b", 2, "received", b"\x01", 1.0)
        taps.trace("tcp:a", 1, "received", b"\xe2\x00", 2.0)
        line = await asyncio.wait_for(anext(lines), 30)
        assert (line["link"], line["conn"], line["hex"]) == ("tcp:a", 1, "e200")
        await lines.aclose()


async def test_capture_of_a_client_that_reads_too_slowly_ends_with_an_overrun_mark():
    taps = Taps()
    with taps.open() as tap:
        for _ in range(200):
            taps.trace("tcp:a", 1, "received", bytes(65_536), 1.0)
        assert tap.overrun
        assert [each async for each in tap] == []


async def test_control_request_without_a_gateway_fails_and_names_the_run_command(tmp_path):
    with pytest.raises(ControlUnavailable, match="argus-gateway run"):
        await query(tmp_path / "control.sock", "status")
