"""A hospital's importer: webhook of a finished encounter → FHIR bundle → local store.

Run it with the environment variables ARGUS_AUTH, ARGUS_API, ARGUS_CLIENT_ID, ARGUS_CLIENT_SECRET and
ARGUS_WEBHOOK_SECRETS (the secrets of the webhook, separated by spaces: two during a rotation), behind a proxy with TLS:

    python hospital_importer.py 127.0.0.1:9000 import.db

The webhook needs the event `epcr.encounter.finished`, and the app the scope `argus:epcr:read`. A message is
acknowledged when its resources are stored, so a crash loses nothing: Argus delivers it again. A message that arrives
twice, and a bundle that is downloaded twice, change nothing.

Limits. Messages are handled one after another, so while a bundle is downloaded, others wait; Argus gives up a delivery
after 15 s and sends it again later, when its bundle is stored already. Retries end after three days, so a hospital that
was unreachable for longer lists the encounters that it lacks (`argus.encounters.list`). An import needs disk for the
bundle twice: as files for the time of the download, and as rows. With less than 2 GiB free, messages get 503, and a
person must act.
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from argus_sdk import webhooks
from argus_sdk.client import Argus, ClientCredentials
from argus_sdk.errors import ArgusError, WebhookRefused

FINISHED = "epcr.encounter.finished"
BODY_DIGITS_MAX = 6
"""Digits of the length of a message: less than a megabyte. Those of Argus have some hundred bytes."""
SEND_TIMEOUT_S = 10.0
FREE_BYTES_MIN = 2 * 2**30
SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, encounter_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS resources (
    identifier TEXT PRIMARY KEY, encounter_id TEXT NOT NULL, type TEXT NOT NULL, resource TEXT NOT NULL
);
"""


class Store:
    """The hospital's store: one row for each resource, by the condition under which a FHIR server would create it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(self._open()) as database:
            database.executescript(SCHEMA)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)

    def has_message(self, message_id: str) -> bool:
        """Return whether a message was imported before."""
        with closing(self._open()) as database:
            return database.execute("SELECT 1 FROM messages WHERE id = ?", (message_id,)).fetchone() is not None

    def add(self, message_id: str, encounter_id: str, bundles: Iterable[dict[str, Any]]) -> None:
        """Store the resources of all parts of a bundle and the message that announced it, in one transaction."""
        rows = (
            (entry["request"]["ifNoneExist"], encounter_id, entry["resource"]["resourceType"], json.dumps(entry))
            for bundle in bundles
            for entry in bundle["entry"]
        )
        with closing(self._open()) as database, database:
            database.executemany("INSERT OR IGNORE INTO resources VALUES (?, ?, ?, ?)", rows)
            database.execute("INSERT OR IGNORE INTO messages VALUES (?, ?)", (message_id, encounter_id))


class Importer:
    """Handles one message after another."""

    def __init__(self, argus: Argus, store: Store, secrets: list[str]) -> None:
        self._argus = argus
        self._store = store
        self._secrets = secrets

    def handle(self, headers: dict[str, str], body: bytes) -> int:
        """Import what a message announces; return the status of the response. Argus retries after 503."""
        try:
            event = webhooks.verify(body, headers, self._secrets)
        except WebhookRefused:
            return 400
        message_id = headers["webhook-id"]
        if event["type"] != FINISHED or self._store.has_message(message_id):
            return 204
        encounter_id = event["data"]["encounter_id"]
        try:
            # Beside the store, so that the disk whose space is examined is the one that is filled.
            folder_of_store = self._store.path.parent
            if shutil.disk_usage(folder_of_store).free < FREE_BYTES_MIN:
                raise OSError(f"less than {FREE_BYTES_MIN} bytes are free")
            with tempfile.TemporaryDirectory(dir=folder_of_store) as folder:
                parts = self._argus.encounters.download_fhir(encounter_id, Path(folder))
                # One part is in memory at a time: at most 5,000 resources.
                self._store.add(message_id, encounter_id, (json.loads(part.read_bytes()) for part in parts))
        except (ArgusError, OSError, sqlite3.Error) as error:
            print(f"{encounter_id}: {error}", file=sys.stderr)  # noqa: T201  the log of the example
            return 503
        return 204


def make_server(address: str, importer: Importer) -> HTTPServer:
    """Return the server that receives the webhook at HOST:PORT."""

    class Receiver(BaseHTTPRequestHandler):
        timeout = SEND_TIMEOUT_S  # of a sender that stops in the middle of a message

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not (length.isascii() and length.isdigit() and len(length) <= BODY_DIGITS_MAX):
                self.send_error(413)
                return
            body = self.rfile.read(int(length))
            status = importer.handle({name.lower(): text for name, text in self.headers.items()}, body)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Log nothing: addresses are not useful here."""

    host, _, port = address.rpartition(":")
    return HTTPServer((host, int(port)), Receiver)


def main(address: str, store: str) -> None:
    """Serve until the program is stopped."""
    known = os.environ
    tokens = ClientCredentials(known["ARGUS_AUTH"], known["ARGUS_CLIENT_ID"], known["ARGUS_CLIENT_SECRET"])
    with Argus(auth_url=known["ARGUS_AUTH"], api_url=known["ARGUS_API"], tokens=tokens) as argus:
        importer = Importer(argus, Store(Path(store)), known["ARGUS_WEBHOOK_SECRETS"].split())
        make_server(address, importer).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
