"""A dispatch system's connector: an incident with a vehicle → an encounter, followed until its end, and closed.

The dispatch desk writes its orders into a local store, and one process sends them and follows the encounters:

    python cad_connector.py open   missions.db INCIDENT VEHICLE
    python cad_connector.py close  missions.db INCIDENT VEHICLE completed
    python cad_connector.py retry  missions.db INCIDENT VEHICLE
    python cad_connector.py list   missions.db
    python cad_connector.py serve  missions.db 127.0.0.1:9001

`serve` needs the environment variables ARGUS_AUTH, ARGUS_API, ARGUS_CLIENT_ID, ARGUS_CLIENT_SECRET and
ARGUS_WEBHOOK_SECRETS (the secrets of the webhook, separated by spaces: two during a rotation), and a proxy with TLS.
The app needs the scope `argus:epcr:write`, and the webhook the events `epcr.encounter.updated` and
`epcr.encounter.finished`.

Each order is stored before it is sent, with its idempotency key, and each step is repeated until its result is stored:
so the programs may end at any time. A webhook only reports that an encounter has changed, and the connector then reads
it. So a message that is late, repeated or lost changes nothing: every open encounter is also read every five minutes.
"""

import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

from argus_sdk import webhooks
from argus_sdk.client import Argus, ClientCredentials, new_idempotency_key
from argus_sdk.errors import ApiError, ArgusError, WebhookRefused

ENDS = ("completed", "cancelled", "transferred")
EVENTS = ("epcr.encounter.updated", "epcr.encounter.finished")
POLL_S = 300.0
PAUSE_S = 5.0
"""Pause between two queries for orders of the desk, and before a retry."""
BODY_DIGITS_MAX = 6
"""Digits of the length of a message: less than a megabyte. Those of Argus have some hundred bytes."""
SEND_TIMEOUT_S = 10.0
STEP_MISSIONS_MAX = 200
REFUSALS = (400, 403, 404, 409, 422)
"""Statuses that a repetition of the request does not change."""
IN_FLIGHT = "idempotency_key_in_flight"
"""Code of the 409 while Argus still processes the same request, which was sent before a connection was lost."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS missions (
    incident_id   TEXT NOT NULL,
    vehicle_id    TEXT NOT NULL,
    begin_key     TEXT NOT NULL,
    encounter_id  TEXT UNIQUE,          -- NULL until Argus has created it
    status        TEXT NOT NULL DEFAULT 'in_progress',  -- as Argus has it
    wanted_end    TEXT,                 -- the status with which the desk closes it, and when
    wanted_end_at TEXT,
    end_key       TEXT,
    changes       INTEGER NOT NULL DEFAULT 1,  -- reported changes, and how many of them were read
    changes_read  INTEGER NOT NULL DEFAULT 0,
    refusal       TEXT,                 -- the error code with which Argus refused; a person decides
    PRIMARY KEY (incident_id, vehicle_id)
);
"""


class Missions:
    """The local store: what the desk wants of each incident and vehicle, and what Argus has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._transaction() as database:
            database.executescript(SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.row_factory = sqlite3.Row
            yield database

    def open(self, incident_id: str, vehicle_id: str) -> None:
        """Store that an encounter is wanted. A repetition changes nothing."""
        row = (incident_id, vehicle_id, new_idempotency_key())
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO missions (incident_id, vehicle_id, begin_key) VALUES (?, ?, ?)", row
            )

    def close(self, incident_id: str, vehicle_id: str, status: str) -> bool:
        """Store that the encounter is to end with a status, now; return whether this is the first such order of a known
        mission."""
        wish = (status, datetime.now(UTC).isoformat(), new_idempotency_key(), incident_id, vehicle_id)
        with self._transaction() as database:
            found = database.execute(
                "UPDATE missions SET wanted_end = ?, wanted_end_at = ?, end_key = ?"
                " WHERE incident_id = ? AND vehicle_id = ? AND wanted_end IS NULL",
                wish,
            )
            return found.rowcount > 0

    def retry(self, incident_id: str, vehicle_id: str) -> None:
        """Have a refused mission sent again, with new keys, since Argus repeats its response to a key for a day."""
        keys = (new_idempotency_key(), new_idempotency_key())
        with self._transaction() as database:
            database.execute(
                "UPDATE missions SET refusal = NULL, begin_key = ?, end_key = ?"
                " WHERE incident_id = ? AND vehicle_id = ? AND refusal IS NOT NULL",
                (*keys, incident_id, vehicle_id),
            )

    def rows(self) -> list[sqlite3.Row]:
        """Return all missions, newest first."""
        return self._select("SELECT * FROM missions ORDER BY rowid DESC")

    def pending(self) -> list[sqlite3.Row]:
        """Return the missions of the next step: those to create, to close, or to read."""
        return self._select(
            "SELECT * FROM missions WHERE refusal IS NULL AND (encounter_id IS NULL OR changes > changes_read"
            " OR (wanted_end IS NOT NULL AND status = 'in_progress')) ORDER BY rowid LIMIT ?",
            STEP_MISSIONS_MAX,
        )

    def _select(self, statement: str, *values: object) -> list[sqlite3.Row]:
        with self._transaction() as database:
            return database.execute(statement, values).fetchall()

    def begun(self, mission: sqlite3.Row, encounter_id: str) -> None:
        """Store the encounter of a mission."""
        self._set(mission, "encounter_id = ?", encounter_id)

    def read(self, mission: sqlite3.Row, status: str) -> None:
        """Store the status that was read. Changes that were reported meanwhile are read next."""
        self._set(mission, "status = ?, changes_read = ?", status, mission["changes"])

    def refused(self, mission: sqlite3.Row, code: str) -> None:
        """Store why Argus refused a mission, so that it is not sent again."""
        self._set(mission, "refusal = ?", code)

    def _set(self, mission: sqlite3.Row, what: str, *values: object) -> None:
        where = (mission["incident_id"], mission["vehicle_id"])
        with self._transaction() as database:
            database.execute(f"UPDATE missions SET {what} WHERE incident_id = ? AND vehicle_id = ?", (*values, *where))  # noqa: S608

    def report_change(self, encounter_id: str) -> bool:
        """Store that Argus reported a change of an encounter; return whether it is one of ours."""
        with self._transaction() as database:
            found = database.execute(
                "UPDATE missions SET changes = changes + 1 WHERE encounter_id = ?", (encounter_id,)
            )
            return found.rowcount > 0

    def read_all_open(self) -> None:
        """Have every open encounter read, since a webhook may have been lost."""
        with self._transaction() as database:
            database.execute("UPDATE missions SET changes = changes + 1 WHERE status = 'in_progress'")


class Connector:
    """Sends what the desk wants, and reads what has changed."""

    def __init__(self, argus: Argus, missions: Missions) -> None:
        self._argus = argus
        self._missions = missions

    def step(self) -> int:
        """Take the next step of each pending mission; return how many succeeded."""
        count = 0
        for mission in self._missions.pending():
            try:
                self._advance(mission)
                count += 1
            except ArgusError as error:
                log(f"{mission['incident_id']}: {error}")
                if not isinstance(error, ApiError):  # no connection, so the other missions would fare no better
                    break
                if error.status in REFUSALS and error.code != IN_FLIGHT:
                    self._missions.refused(mission, error.code)
        return count

    def _advance(self, mission: sqlite3.Row) -> None:
        if mission["encounter_id"] is None:
            begun = self._argus.encounters.begin(
                {
                    "care_model": "prehospital_emergency",
                    "cad_incident_id": mission["incident_id"],
                    "vehicle_id": mission["vehicle_id"],
                },
                idempotency_key=mission["begin_key"],
            )
            self._missions.begun(mission, begun["id"])
        elif mission["wanted_end"] is not None and mission["status"] == "in_progress":
            self._end(mission)
        else:
            self._missions.read(mission, self._request(mission, "GET")["status"])

    def _end(self, mission: sqlite3.Row) -> None:
        """Close an encounter. The first end stands: if another program closed it before, its end is ours too."""
        wanted = {"status": mission["wanted_end"], "ended_at": mission["wanted_end_at"]}
        try:
            ended = self._request(mission, "PATCH", body=wanted, idempotency_key=mission["end_key"])
        except ApiError as error:
            if error.code != "encounter_finished":
                raise
            ended = self._request(mission, "GET")
        self._missions.read(mission, ended["status"])

    def _request(
        self, mission: sqlite3.Row, method: str, *, body: object = None, idempotency_key: str | None = None
    ) -> Mapping[str, str]:
        """Send a request to the mission of an encounter, which the contract of the SDK's typed operations lacks."""
        path = f"/api/v1/epcr/encounters/{quote(mission['encounter_id'], safe='')}/mission"
        found: Mapping[str, str] = self._argus.request(
            # The service takes a key for a PATCH of a mission, so each of these requests may be repeated.
            method,
            path,
            body=body,
            idempotency_key=idempotency_key,
            is_repeatable=True,
        )
        return found


class Receiver:
    """Accepts webhooks: a message is acknowledged when its change is stored, which takes milliseconds."""

    def __init__(self, missions: Missions, secrets: list[str], has_work: threading.Event) -> None:
        self._missions = missions
        self._secrets = secrets
        self._has_work = has_work

    def handle(self, headers: Mapping[str, str], body: bytes) -> int:
        """Store what a message reports; return the status of the response. Argus retries after 503."""
        try:
            event = webhooks.verify(body, headers, self._secrets)
        except WebhookRefused:
            return 400
        try:
            if event["type"] in EVENTS and self._missions.report_change(event["data"]["encounter_id"]):
                self._has_work.set()
        except sqlite3.Error as error:
            log(f"store: {error}")
            return 503
        return 204

    def make_server(self, address: str) -> HTTPServer:
        """Return the server that receives the webhook at HOST:PORT."""
        handle = self.handle

        class Handler(BaseHTTPRequestHandler):
            timeout = SEND_TIMEOUT_S  # of a sender that stops in the middle of a message

            def do_POST(self) -> None:
                text = self.headers.get("Content-Length", "")
                if not (text.isascii() and text.isdigit() and len(text) <= BODY_DIGITS_MAX):
                    self.send_error(413)
                    return
                status = handle(dict(self.headers.items()), self.rfile.read(int(text)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Log nothing: addresses are not useful here."""

        host, _, port = address.rpartition(":")
        return HTTPServer((host, int(port)), Handler)


def log(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


def serve(missions: Missions, address: str) -> None:
    """Send, follow and receive until the program is stopped."""
    known = os.environ
    tokens = ClientCredentials(known["ARGUS_AUTH"], known["ARGUS_CLIENT_ID"], known["ARGUS_CLIENT_SECRET"])
    has_work = threading.Event()
    server = Receiver(missions, known["ARGUS_WEBHOOK_SECRETS"].split(), has_work).make_server(address)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Argus(auth_url=known["ARGUS_AUTH"], api_url=known["ARGUS_API"], tokens=tokens) as argus:
        connector = Connector(argus, missions)
        poll_at_s = 0.0
        while True:
            has_work.clear()
            try:
                if time.monotonic() >= poll_at_s:
                    missions.read_all_open()
                    poll_at_s = time.monotonic() + POLL_S
                while connector.step():
                    pass
            except sqlite3.OperationalError as error:  # another program has the store locked, or the disk is full
                log(f"The store cannot be used ({error}). Nothing is lost; the next attempt is in {PAUSE_S:g} s.")
            has_work.wait(PAUSE_S)


def main(command: str, store: str, *words: str) -> None:
    """Run one command."""
    missions = Missions(Path(store))
    match command, words:
        case "open", (incident_id, vehicle_id):
            missions.open(incident_id, vehicle_id)
        case "close", (incident_id, vehicle_id, status) if status in ENDS:
            if not missions.close(incident_id, vehicle_id, status):
                sys.exit("There is no such mission, or it was closed before. `list` shows it.")
        case "retry", (incident_id, vehicle_id):
            missions.retry(incident_id, vehicle_id)
        case "list", ():
            for one in missions.rows():
                print(one["incident_id"], one["vehicle_id"], one["encounter_id"], one["refusal"] or one["status"])  # noqa: T201
        case "serve", (address,):
            serve(missions, address)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except sqlite3.OperationalError as error:
        sys.exit(f"The store cannot be used ({error}). Nothing was changed. Check the disk, then repeat the command.")
