"""The example of a hospital importer stores the FHIR bundle of an encounter when its webhook reports the end."""

import importlib.util
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.server import HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from argus_sdk.client import Argus, ClientCredentials
from simulators.demo.free_ports import free_port
from tests.harness.eventually import until
from tests.harness.running_cloud import RunningCloud, cloud_running
from tests.tidy.sources import ROOT

SECRET = "a webhook secret of the examples"
POLL_S = 0.05


def example(name: str) -> ModuleType:
    """Return an example as a module, as its users run it: from a file that is in no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Hospital:
    """A running importer, and the client of a dispatch system."""

    argus: Argus
    importer: Any
    database: Path

    def rows(self, statement: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as database:
            return database.execute(statement, values).fetchall()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder, port = tmp_path_factory.mktemp("hospital"), free_port()
    program = example("hospital_importer")
    with cloud_running(folder, more_settings=f'[egress]\nallow = ["127.0.0.1:{port}"]\n') as cloud:
        with client(cloud) as argus:
            importer = program.Importer(argus, program.Store(folder / "import.db"), [SECRET])
            server: HTTPServer = program.make_server(f"127.0.0.1:{port}", importer)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_S})
            thread.start()
            argus.webhooks.create(
                {"url": f"http://127.0.0.1:{port}/hook", "events": ["epcr.encounter.finished"], "secret": SECRET}
            )
            yield Hospital(argus, importer, folder / "import.db")
            server.shutdown()
            thread.join()
            server.server_close()
        assert cloud.leaks() == []


def client(cloud: RunningCloud) -> Argus:
    app = cloud.apps["north"]
    tokens = ClientCredentials(cloud.urls["auth"], app.client_id, app.client_secret)
    return Argus(auth_url=cloud.urls["auth"], api_url=cloud.urls["api"], tokens=tokens)


@pytest.mark.contract("C-279", "C-108")
def test_encounter_is_imported_when_it_has_finished(hospital: Hospital) -> None:
    begun = hospital.argus.encounters.begin({"care_model": "event_medical", "cad_incident_id": f"cad_{uuid.uuid4()}"})
    mission = f"/api/v1/epcr/encounters/{begun['id']}/mission"
    hospital.argus.api_host.request("PATCH", mission, body={"status": "completed"})
    until(lambda: hospital.rows("SELECT 1 FROM messages WHERE encounter_id = ?", begun["id"]), what="message imported")
    types = {kind for (kind,) in hospital.rows("SELECT type FROM resources WHERE encounter_id = ?", begun["id"])}
    assert {"Patient", "Encounter", "Composition"} <= types


def test_message_that_is_not_signed_is_refused(hospital: Hospital) -> None:
    count = hospital.rows("SELECT count(*) FROM messages")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    assert hospital.importer.handle(headers, b'{"type":"epcr.encounter.finished"}') == 400
    assert hospital.rows("SELECT count(*) FROM messages") == count
