"""A tracing backend that others wrote: Phoenix, with its intake of OTLP over HTTP, its database and its API.

It runs in a virtual environment of its own (`make test-otlp`), since it needs a hundred packages.
"""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.demo.free_ports import free_port
from tests.harness.eventually import WITHIN_S

PROGRAM = Path(__file__).parents[2] / ".venv-otlp/bin/phoenix"
START_S_MAX = 120.0
STOP_S_MAX = 20.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Backend:
    """A running backend. It refuses every request without `token`."""

    url: str
    token: str
    log: Path

    def spans_of(self, trace_id: str) -> list[dict[str, Any]]:
        """Return the spans of a trace as the backend's API returns them."""
        answer = httpx.get(
            f"{self.url}/v1/projects/default/spans",
            params={"trace_id": trace_id, "limit": 1000},
            headers={"Authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=WITHIN_S,
        )
        if answer.status_code == 404:  # the project exists from the first span on
            return []
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found


@pytest.fixture(scope="session")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """Run the backend with authentication; stop it after the last test."""
    if os.environ.get("ARGUS_OTLP") != "1":
        pytest.skip("a tracing backend of 100 packages: make test-otlp")
    folder, port, token = tmp_path_factory.mktemp("backend"), free_port(), secrets.token_hex(24) + "a1"
    made = Backend(f"http://127.0.0.1:{port}", token, folder / "log")
    settings = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_ENABLE_AUTH": "true",
        "PHOENIX_SECRET": secrets.token_hex(24) + "a1",
        "PHOENIX_ADMIN_SECRET": token,
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    with made.log.open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve"], env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        _wait(made, process)
        yield made
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S_MAX)
        process.kill()
        process.wait()


def _wait(backend: Backend, process: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while True:
        with suppress(httpx.TransportError):
            if httpx.get(f"{backend.url}/healthz", trust_env=False, timeout=WITHIN_S).is_success:
                return
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise AssertionError(f"the backend did not start:\n{backend.log.read_text()[-3000:]}")
        time.sleep(_POLL_S)
