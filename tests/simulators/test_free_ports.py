"""A port that `free_port` returned is still free when a program begins to listen on it seconds later."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.demo.free_ports import free_port, is_free

_PRINT_PORTS = "from simulators.demo.free_ports import free_port; print(*[free_port() for _ in range(127)])"


def all_free_ports() -> set[int]:
    """Return all network ports that are reserved for this process, except a few that other tests may be using."""
    return {free_port() for _ in range(127)}


def ports_of_another_process() -> set[int]:
    done = subprocess.run([sys.executable, "-c", _PRINT_PORTS], capture_output=True, text=True, check=True)
    return {int(word) for word in done.stdout.split()}


def test_free_network_ports_chosen_by_two_processes_are_different() -> None:
    theirs = ports_of_another_process()
    assert theirs
    assert all_free_ports().isdisjoint(theirs)


def test_free_network_port_is_below_the_ephemeral_port_range() -> None:
    ephemeral = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not ephemeral.exists():
        pytest.skip("this system does not tell its ephemeral ports in /proc")
    first = int(ephemeral.read_text().split()[0])
    if first <= 10_256:
        pytest.skip("this machine lends nearly every port to connections")
    assert free_port() < first


def test_network_port_in_use_is_not_returned_as_free() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        taken = server.getsockname()[1]
        assert not is_free(taken)
        assert taken not in all_free_ports()
    assert is_free(taken)
    assert taken in all_free_ports()


def test_ports_to_exclude_are_not_returned_as_free_ports() -> None:
    one, *promised = all_free_ports()
    assert free_port(besides=promised) == one
