"""The process of an analysis ends with the worker that started it."""

import subprocess
import sys

from cloud.work.graph.child import ORPHANED

CHILD = "cloud.work.graph.child"
REQUEST = '{"analysis":"counts"}'
# Starts the process as a worker does, but with this test's pipes: the process waits for the rest of the graph whether
# the worker lives or not.
WORKER = f"""
import os, subprocess, sys
subprocess.run([sys.executable, "-m", "{CHILD}", '{REQUEST}', str(os.getpid())])
"""
LINES = b"encounter/enc_1 vehicle/veh_1\n" * 40_000
"""More than a pipe holds, so when all are written, the process reads."""


def test_process_ends_when_its_worker_is_killed() -> None:
    words = [sys.executable, "-c", WORKER]
    with subprocess.Popen(words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(LINES)
        worker.kill()
        assert worker.stdout.read() == b""  # the end of the pipe: no process has it open any more


def test_process_ends_at_once_when_its_worker_has_ended_before() -> None:
    words = [sys.executable, "-m", CHILD, REQUEST, "1"]
    assert subprocess.run(words, stdin=subprocess.DEVNULL, timeout=60, check=False).returncode == ORPHANED
