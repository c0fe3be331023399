"""The shell of the crew's pages: what a tablet keeps so that it can show a page without contact with the gateway.

The shell is one page that states that there is no contact, with its scripts, styles and texts, and with those of a
report's page, which a tablet that was just writing in a report continues to show (static/kept_report.js). It has the
vehicle's name and no data of a patient, a member or a session, so every tablet gets the same one, also before it signs
in. The service worker (static/service_worker.js) stores it and shows it when a page cannot be loaded; with contact
every page and every response comes from the gateway and is never stored.

The version of the shell is a hash of its files, and the worker's own file names it: an update of the gateway's software
makes browsers install the worker again, which stores the new shell as a whole and deletes the former one. Each file is
stored only if it has the hash that the worker's file names, so two versions are never mixed.
"""

import base64
import hashlib
from pathlib import Path

import orjson
from aiohttp import web

from gateway.crew.access import Access
from gateway.crew.languages import LANGUAGES, texts_module
from gateway.crew.pages import Pages
from gateway.crew.routes import STATIC, CrewRoute

PAGE_PATH = "/shell"
WORKER_PATH = "/service-worker.js"
"""At the root, since a worker controls the pages below its own folder (W3C Service Workers §3.1)."""
TEXT_PARTS = ("page", "queue", "report", "choices", "call_reasons")
"""Texts that the scripts of the shell use."""
STATIC_FILES = (
    "mark.svg",
    "icon-192.png",
    "manifest.webmanifest",
    "looks.css",
    "crew.css",
    "session.css",
    "look.js",
    "shell.js",
    "texts.js",
    "queue.js",
    "kept_report.js",
    "key_hand_over.js",
    "report_copy.js",
    "session.js",
    "elapsed.js",
    "report.css",
    "report.js",
    "report_store.js",
    "report_parts.js",
    "report_fields.js",
    "report_pad.js",
    "report_sections.js",
    "report_shortcuts.js",
    "report_gaps.js",
    "report_proposals.js",
    "report_sign.js",
    "report_signature.js",
    "report_stroke.js",
    "report_body.js",
    "report_arrest.js",
    "change_requests.js",
    "queue_sender.js",
    "missions.js",
)
"""Files of the shell in the folder of static files: what its page and a report's page need."""


class Shell:
    """The shell of one vehicle's pages. `static`: the folder of the static files."""

    def __init__(self, pages: Pages, static: Path) -> None:
        self._page = pages.render_alike("shell.html").encode()
        integrity = {path: _integrity(content) for path, content in self._files(static).items()}
        self.version = hashlib.sha256(orjson.dumps(integrity)).hexdigest()[:16]
        shell = orjson.dumps({"version": self.version, "page": PAGE_PATH, "files": integrity}).decode()
        self._worker = f"const SHELL = {shell};\n{(static / 'service_worker.js').read_text()}"

    def routes(self) -> tuple[CrewRoute, ...]:
        return (
            CrewRoute("GET", PAGE_PATH, self._show, Access.OPEN),
            CrewRoute("GET", WORKER_PATH, self._serve_worker, Access.OPEN),
        )

    def _files(self, static: Path) -> dict[str, bytes]:
        """Return the content of each file of the shell by its path."""
        files = {PAGE_PATH: self._page}
        files |= {f"{STATIC}/{name}": (static / name).read_bytes() for name in STATIC_FILES}
        files |= {f"/texts/{code}/{part}.js": texts_module(code, part) for code in LANGUAGES for part in TEXT_PARTS}
        return files

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._page, content_type="text/html", charset="utf-8")

    async def _serve_worker(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._worker, content_type="text/javascript")


def _integrity(content: bytes) -> str:
    """Return the hash of a file as a browser compares it (W3C Subresource Integrity §3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}"
