"""Fixtures of the examples: one cloud for all of them, with a running importer, a running connector, and the client of
another program in the same organisation.
"""

import importlib.util
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from argus_sdk.client import Argus, ClientCredentials
from simulators.demo.free_ports import free_port
from tests.harness.running_cloud import RunningCloud, cloud_running
from tests.tidy.sources import ROOT

SECRET = "a-webhook-secret-of-the-examples"
VEHICLE = "AMB-42"
POLL_S = 0.05


@dataclass(frozen=True)
class Examples:
    """A cloud that delivers webhooks to two ports of this machine, one for each example that receives some."""

    cloud: RunningCloud
    argus: Argus
    importer_port: int
    connector_port: int

    def subscribe(self, port: int, *events: str) -> None:
        self.argus.webhooks.create(
            {"url": f"http://127.0.0.1:{port}/hook", "events": list(events), "secret": SECRET}  # type: ignore[typeddict-item]
        )

    def environment(self) -> dict[str, str]:
        """Return the environment variables of an example."""
        app = self.cloud.apps["north"]
        return {
            "ARGUS_AUTH": self.cloud.urls["auth"],
            "ARGUS_API": self.cloud.urls["api"],
            "ARGUS_CLIENT_ID": app.client_id,
            "ARGUS_CLIENT_SECRET": app.client_secret,
            "ARGUS_WEBHOOK_SECRETS": SECRET,
            "NO_PROXY": "127.0.0.1",
        }


def path_of(name: str) -> Path:
    return ROOT / "examples" / f"{name}.py"


def example(name: str) -> ModuleType:
    """Return an example as a module, as its users run it: from a file that is in no package."""
    spec = importlib.util.spec_from_file_location(name, path_of(name))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    importer_port, connector_port = free_port(), free_port()
    allowed = f'[egress]\nallow = ["127.0.0.1:{importer_port}", "127.0.0.1:{connector_port}"]\n'
    with cloud_running(tmp_path_factory.mktemp("examples"), more_settings=allowed) as cloud:
        app = cloud.apps["north"]
        tokens = ClientCredentials(cloud.urls["auth"], app.client_id, app.client_secret)
        with Argus(auth_url=cloud.urls["auth"], api_url=cloud.urls["api"], tokens=tokens) as argus:
            yield Examples(cloud, argus, importer_port, connector_port)
        assert cloud.leaks() == []


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Run a server in a thread during the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_S})
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Hospital:
    """A running importer, and the client of a dispatch system."""

    argus: Argus
    program: Any
    importer: Any
    database: Path
    port: int

    def rows(self, statement: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(statement, values).fetchall()


@pytest.fixture(scope="module")
def hospital(examples: Examples, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    database, program = tmp_path_factory.mktemp("hospital") / "import.db", example("hospital_importer")
    importer = program.Importer(examples.argus, program.Store(database), [SECRET])
    server: HTTPServer = program.make_server(f"127.0.0.1:{examples.importer_port}", importer)
    examples.subscribe(examples.importer_port, "epcr.encounter.finished")
    with serving(server):
        yield Hospital(examples.argus, program, importer, database, examples.importer_port)


@dataclass(frozen=True)
class Dispatch:
    """A connector with its store and its running receiver, and the client of another program."""

    argus: Argus
    missions: Any
    connector: Any
    receiver: Any
    program: Any

    def advance(self) -> None:
        """Take all steps that are pending, as `serve` does."""
        while self.connector.step():
            pass

    def mission(self, incident: str) -> dict[str, Any]:
        (found,) = [row for row in self.missions.rows() if row["incident_id"] == incident]
        return dict(found)

    def opened(self) -> str:
        """Create the encounter of a new incident; return the incident."""
        incident = f"cad_{uuid.uuid4()}"
        self.missions.open(incident, VEHICLE)
        self.advance()
        return incident

    def in_argus(self, incident: str) -> dict[str, Any]:
        (found,) = self.argus.encounters.list(cad_incident_id=incident)
        return dict(found)

    def end_elsewhere(self, encounter: str, status: str) -> None:
        path = f"/api/v1/epcr/encounters/{encounter}/mission"
        self.argus.request("PATCH", path, body={"status": status})


@pytest.fixture(scope="module")
def program() -> Any:
    return example("cad_connector")


@pytest.fixture(scope="module")
def dispatch(examples: Examples, program: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dispatch]:
    missions = program.Missions(tmp_path_factory.mktemp("dispatch") / "missions.db")
    receiver = program.Receiver(missions, [SECRET], threading.Event())
    server: HTTPServer = receiver.make_server(f"127.0.0.1:{examples.connector_port}")
    examples.subscribe(examples.connector_port, *program.EVENTS)
    with serving(server):
        yield Dispatch(examples.argus, missions, program.Connector(examples.argus, missions), receiver, program)
