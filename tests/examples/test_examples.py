"""The examples do what their users need.

- The importer stores the FHIR bundle of an encounter when its webhook reports the end.
- The connector creates, follows and closes encounters, despite restarts and lost messages.
- The analyst's script draws the vital signs of an encounter.
"""

import hashlib
import hmac
import json
import os
import runpy
import sqlite3
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from argus_sdk.errors import ApiError
from simulators.demo.free_ports import free_port
from tests.examples.conftest import SECRET, VEHICLE, Dispatch, Examples, Hospital, path_of
from tests.harness.eventually import until

SVG = "{http://www.w3.org/2000/svg}"
INTERVAL_S = 10
IMPORT = r"""
import json, locale, runpy, sys
from pathlib import Path

class Argus:
    @property
    def encounters(self):
        return self

    def download_fhir(self, encounter_id, folder):
        part = folder / "part.json"
        entry = {"request": {"ifNoneExist": "1"}, "resource": {"resourceType": "Patient", "name": "Zo\u00eb"}}
        part.write_bytes(json.dumps({"entry": [entry]}, ensure_ascii=False).encode())
        return [part]

assert locale.getpreferredencoding(False).lower() not in ("utf-8", "utf8")
example, database, secret, headers, body = sys.argv[1:]
program = runpy.run_path(example)
importer = program["Importer"](Argus(), program["Store"](Path(database)), [secret])
print(importer.handle(json.loads(headers), body.encode()))
"""


def signed(body: bytes) -> dict[str, str]:
    """Return the headers of a message with a valid signature (Standard Webhooks)."""
    at = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,{b64encode(digest).decode()}"}


@pytest.mark.contract("C-279", "C-108")
def test_encounter_is_imported_when_it_has_finished(hospital: Hospital) -> None:
    begun = hospital.argus.encounters.begin({"care_model": "event_medical", "cad_incident_id": f"cad_{uuid.uuid4()}"})
    mission = f"/api/v1/epcr/encounters/{begun['id']}/mission"
    hospital.argus.request("PATCH", mission, body={"status": "completed"})
    until(lambda: hospital.rows("SELECT 1 FROM messages WHERE encounter_id = ?", begun["id"]), what="message imported")
    types = {kind for (kind,) in hospital.rows("SELECT type FROM resources WHERE encounter_id = ?", begun["id"])}
    assert {"Patient", "Encounter", "Composition"} <= types


def test_importer_refuses_a_message_that_is_not_signed(hospital: Hospital) -> None:
    count = hospital.rows("SELECT count(*) FROM messages")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,AAAA"}
    assert hospital.importer.handle(headers, b'{"type":"epcr.encounter.finished"}') == 400
    assert hospital.rows("SELECT count(*) FROM messages") == count


def test_message_is_left_to_be_sent_again_while_the_disk_is_full(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"type": "epcr.encounter.finished", "data": {"encounter_id": "enc_1"}}).encode()
    monkeypatch.setattr(hospital.program, "FREE_BYTES_MIN", 2**80)
    assert hospital.importer.handle(signed(body), body) == 503
    assert hospital.rows("SELECT 1 FROM messages WHERE id = 'msg_1'") == []


def test_bundle_is_read_as_utf_8_on_a_machine_with_another_encoding(tmp_path: Path) -> None:
    body = b'{"type":"epcr.encounter.finished","data":{"encounter_id":"enc_1"}}'
    words = (path_of("hospital_importer"), tmp_path / "import.db", SECRET, json.dumps(signed(body)), body)
    other = {"PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *words],
        env={**os.environ, **other},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "204\n", done.stderr
    with closing(sqlite3.connect(tmp_path / "import.db")) as database:
        ((entry,),) = database.execute("SELECT resource FROM resources").fetchall()
    assert json.loads(entry)["resource"]["name"] == "Zoë"


@pytest.mark.parametrize("length", [None, "-1", "1e3", "1000000"])
def test_message_without_a_usable_length_is_refused_unread(hospital: Hospital, length: str | None) -> None:
    with closing(HTTPConnection("127.0.0.1", hospital.port, timeout=30)) as connection:
        connection.putrequest("POST", "/hook")
        if length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_importer_process_serves_at_the_address_of_its_command(examples: Examples, tmp_path: Path) -> None:
    port, body = free_port(), b'{"type":"webhook.test"}'
    command = [sys.executable, str(path_of("hospital_importer")), f"127.0.0.1:{port}", str(tmp_path / "import.db")]

    def status_of(headers: dict[str, str]) -> int | None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            try:
                connection.request("POST", "/hook", body, headers)
            except ConnectionRefusedError:
                return None
            return connection.getresponse().status

    with subprocess.Popen(command, env={**os.environ, **examples.environment()}) as process:
        try:
            until(lambda: status_of(signed(body)) == 204, within_s=60, what="signed message accepted")
            assert status_of({}) == 400
        finally:
            process.kill()
    with closing(sqlite3.connect(tmp_path / "import.db")) as database:
        assert database.execute("SELECT count(*) FROM messages").fetchall() == [(0,)]


@pytest.mark.contract("C-111", "C-114", "A-102")
def test_mission_is_created_and_closed_in_argus(dispatch: Dispatch) -> None:
    incident = dispatch.opened()
    assert dispatch.mission(incident)["status"] == "in_progress"
    assert dispatch.in_argus(incident)["vehicle_id"] == VEHICLE
    assert dispatch.missions.close(incident, VEHICLE, "completed")
    assert not dispatch.missions.close(incident, VEHICLE, "cancelled")
    dispatch.advance()
    assert dispatch.mission(incident)["status"] == dispatch.in_argus(incident)["status"] == "completed"


def test_end_of_an_encounter_elsewhere_is_followed_by_webhook(dispatch: Dispatch) -> None:
    incident = dispatch.opened()
    before = dispatch.mission(incident)
    dispatch.end_elsewhere(before["encounter_id"], "cancelled")
    until(lambda: dispatch.mission(incident)["changes"] > before["changes"], what="message received")
    dispatch.advance()
    assert dispatch.mission(incident)["status"] == "cancelled"


def test_lost_message_is_made_up_for_by_the_poll(dispatch: Dispatch, tmp_path: Path) -> None:
    deaf = dispatch.program.Missions(tmp_path / "missions.db")  # its receiver was never started
    connector = dispatch.program.Connector(dispatch.argus, deaf)
    deaf.open(f"cad_{uuid.uuid4()}", VEHICLE)
    while connector.step():
        pass
    dispatch.end_elsewhere(deaf.rows()[0]["encounter_id"], "transferred")
    assert connector.step() == 0
    deaf.read_all_open()
    assert connector.step() == 1
    assert deaf.rows()[0]["status"] == "transferred"


def test_restart_after_each_request_whose_result_was_not_stored_repeats_it_without_effect(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(Exception):
        pass

    def cut(*_: object) -> None:
        raise PowerCut

    incident = f"cad_{uuid.uuid4()}"
    dispatch.missions.open(incident, VEHICLE)
    dispatch.missions.close(incident, VEHICLE, "completed")
    for method in ("begun", "read"):
        with monkeypatch.context() as patch:
            patch.setattr(dispatch.missions, method, cut)
            with pytest.raises(PowerCut):
                dispatch.advance()
        dispatch.connector.step()
    assert dispatch.mission(incident)["encounter_id"] == dispatch.in_argus(incident)["id"]
    assert dispatch.mission(incident)["status"] == "completed"


def test_end_that_another_program_set_before_is_taken_over(dispatch: Dispatch) -> None:
    incident = dispatch.opened()
    dispatch.end_elsewhere(dispatch.mission(incident)["encounter_id"], "cancelled")
    dispatch.missions.close(incident, VEHICLE, "completed")
    dispatch.advance()
    assert dispatch.mission(incident)["status"] == "cancelled"
    assert dispatch.mission(incident)["refusal"] is None


def test_refused_mission_is_shown_and_sent_again_only_when_a_person_says_so(dispatch: Dispatch) -> None:
    incident = f"cad_{uuid.uuid4()}"
    dispatch.missions.open(incident, "AMB-UNKNOWN")
    dispatch.advance()
    assert dispatch.mission(incident)["refusal"] == "vehicle_unknown"
    key = dispatch.mission(incident)["begin_key"]
    assert dispatch.connector.step() == 0
    dispatch.missions.retry(incident, "AMB-UNKNOWN")
    assert dispatch.mission(incident)["refusal"] is None
    assert dispatch.mission(incident)["begin_key"] != key
    dispatch.missions.refused(dispatch.mission(incident), "vehicle_unknown")


@pytest.mark.parametrize(("code", "refusal"), [("idempotency_key_in_flight", None), ("conflict", "conflict")])
def test_mission_is_refused_unless_its_request_is_still_processed(
    program: Any, tmp_path: Path, code: str, refusal: str | None
) -> None:
    class Busy:
        @property
        def encounters(self) -> "Busy":
            return self

        def begin(self, *_: object, **__: object) -> None:
            raise ApiError(code, "Another request has this key.", status=409)

    missions = program.Missions(tmp_path / "missions.db")
    missions.open("cad_1", VEHICLE)
    assert program.Connector(Busy(), missions).step() == 0
    assert missions.rows()[0]["refusal"] == refusal


def test_connector_refuses_a_message_that_is_not_signed(dispatch: Dispatch) -> None:
    incident = dispatch.opened()
    before = dispatch.mission(incident)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    assert dispatch.receiver.handle(headers, b'{"type":"epcr.encounter.finished"}') == 400
    assert dispatch.mission(incident) == before


def test_connector_process_sends_what_the_desk_wrote_before_its_start(
    examples: Examples, dispatch: Dispatch, tmp_path: Path
) -> None:
    store, incident = tmp_path / "missions.db", f"cad_{uuid.uuid4()}"
    dispatch.program.main("open", str(store), incident, VEHICLE)
    dispatch.program.main("close", str(store), incident, VEHICLE, "completed")
    command = [sys.executable, str(path_of("cad_connector")), "serve", str(store), f"127.0.0.1:{free_port()}"]
    with subprocess.Popen(command, env={**os.environ, **examples.environment()}) as process:
        try:
            missions = dispatch.program.Missions(store)
            until(lambda: missions.rows()[0]["status"] == "completed", within_s=60, what="mission closed")
        finally:
            process.kill()
    assert dispatch.in_argus(incident)["status"] == "completed"


def test_connector_reports_a_locked_store_in_a_sentence_and_tries_again(
    program: Any, examples: Examples, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stopped(Exception):
        pass

    class Locked:
        attempts = 0

        def read_all_open(self) -> None:
            self.attempts += 1
            raise sqlite3.OperationalError("database is locked") if self.attempts == 1 else Stopped

    for name, value in examples.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(program, "PAUSE_S", 0.0)
    with pytest.raises(Stopped):
        program.serve(Locked(), f"127.0.0.1:{free_port()}")
    assert capsys.readouterr().err == (
        "The store cannot be used (database is locked). Nothing is lost; the next attempt is in 0 s.\n"
    )


def test_command_of_the_desk_reports_an_unusable_store_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["cad_connector.py", "list", str(tmp_path)])  # a folder
    with pytest.raises(SystemExit, match=r"The store cannot be used .*Check the disk, then"):
        runpy.run_path(str(path_of("cad_connector")), run_name="__main__")


def test_command_with_unknown_words_prints_how_to_use_it(program: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"python cad_connector\.py open"):
        program.main("close", str(tmp_path / "missions.db"), "cad_1", VEHICLE, "lost")


def plot(examples: Examples, encounter: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the script as its users do, in this process."""
    for name, value in examples.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["vitals_plot.py", encounter, str(file)])
    runpy.run_path(str(path_of("vitals_plot")), run_name="__main__")


@pytest.mark.contract("C-127")
def test_plot_has_a_panel_for_each_vital_sign_and_breaks_the_line_at_a_gap(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argus = examples.argus
    device = argus.devices.enrol({"serial_number": "PLOT-1", "device_class": "multiparameter", "manufacturer": "ACME"})
    encounter = argus.encounters.begin({"care_model": "event_medical"})["id"]
    now_s = int(datetime.now(UTC).timestamp()) // INTERVAL_S * INTERVAL_S
    begin = datetime.fromtimestamp(now_s, UTC) - timedelta(seconds=10 * INTERVAL_S)
    for code, unit, values in (
        ("MDC_PULS_OXIM_SAT_O2", "%", {0: 91.0, 1: 93.0, 2: 95.0, 5: 97.0}),
        ("MDC_PULS_OXIM_PULS_RATE", "/min", {0: 88.0, 1: 86.0}),
    ):
        for interval, value in values.items():
            at = begin + timedelta(seconds=INTERVAL_S * interval + 1)
            argus.devices.post_observation(
                device["id"],
                {
                    "mdc_code": code,
                    "value": value,
                    "unit_code": unit,
                    "observed_at": at.isoformat(),
                    "encounter_id": encounter,
                },
            )
    plot(examples, encounter, tmp_path / "vitals.svg", monkeypatch)
    svg = ElementTree.parse(tmp_path / "vitals.svg").getroot()  # noqa: S314  our own file
    panels = svg.findall(f"{SVG}g")
    titles = [panel.findtext(f"{SVG}text") for panel in panels]
    assert titles == [f"Oxygen saturation [%], {device['id']}", f"Pulse rate [/min], {device['id']}"]
    runs = [[len(line.get("points", "").split()) for line in panel.findall(f"{SVG}polyline")] for panel in panels]
    assert runs == [[3, 1], [2]]
    heights = [point.partition(",")[2] for point in panels[0].findall(f"{SVG}polyline")[0].get("points", "").split()]
    assert sorted(heights, key=float, reverse=True) == heights  # the saturation rises


def test_plot_has_a_panel_for_each_probe_of_a_device(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class TwoProbes:
        def __init__(self, **_: object) -> None:
            self.encounters = self

        def __enter__(self) -> "TwoProbes":
            return self

        def __exit__(self, *_: object) -> None: ...

        def list_observations(self, *_: object, **__: object) -> list[dict[str, Any]]:
            return [self.row(handle, site) for handle, site in ((1, ["MDC_UPEXT_FINGER"]), (2, []))]

        def row(self, handle: int, sites: list[str]) -> dict[str, Any]:
            return {
                "mdc_code": "MDC_PULS_OXIM_SAT_O2",
                "device_id": "dev_1",
                "unit_code": "%",
                "handle": handle,
                "person": None,
                "supplemental_types": sites,
                "from": "2026-03-24T10:00:00Z",
                "until": "2026-03-24T10:00:10Z",
                "left_out": 0,
                **dict.fromkeys(("count", "min", "mean", "max"), 90 + handle),
            }

    monkeypatch.setattr("argus_sdk.client.Argus", TwoProbes)
    plot(examples, "enc_1", tmp_path / "vitals.svg", monkeypatch)
    svg = ElementTree.parse(tmp_path / "vitals.svg").getroot()  # noqa: S314  our own file
    titles = [panel.findtext(f"{SVG}text") for panel in svg.findall(f"{SVG}g")]
    assert titles == ["Oxygen saturation [%], dev_1", "Oxygen saturation [%], dev_1, MDC_UPEXT_FINGER"]


def test_plot_of_an_encounter_without_vital_signs_ends_with_a_message(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encounter = examples.argus.encounters.begin({"care_model": "event_medical"})["id"]
    with pytest.raises(SystemExit, match="no vital signs"):
        plot(examples, encounter, tmp_path / "vitals.svg", monkeypatch)
