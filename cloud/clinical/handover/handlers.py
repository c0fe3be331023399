"""Handlers of share links: the page, and the hand-over that its script reads.

The page itself has no data and no token, and is the same for every link. Its script takes the token from the fragment
of the address, removes it from the address bar, and sends it in the body of its requests.
"""

import base64
import hashlib
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from multidict import CIMultiDictProxy

from cloud.clinical.epcr import ENCOUNTER_EVIDENCE, SETTLE_ENCOUNTER
from cloud.clinical.handover.device_data import EncounterDeviceData
from cloud.clinical.handover.model import LinkPeriod
from cloud.clinical.handover.schemas import SharedHandoverPart, SharedHandoverRequest
from cloud.clinical.handover.service import SharedHandovers
from cloud.clinical.handover.settings import HandoverSection
from cloud.clinical.handover.words import WORDS
from cloud.clinical.observations import RECEIVED_BATCHES
from cloud.foundation.http import Json, Parts, Request, Response
from cloud.foundation.moments import write_moment
from cloud.foundation.objects import object_store_of
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import STYLE, handover_part
from protocols.epcr.sharing import PAGE_PATH

_TEMPLATES: Final = Path(__file__).parent / "templates"
_SCRIPT: Final = (_TEMPLATES / "share.js").read_text(encoding="utf-8")
_STYLE: Final = STYLE + (_TEMPLATES / "share.css").read_text(encoding="utf-8")
_ACCEPT_LENGTH_MAX = 256


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_PAGE_HEADERS: Final = {
    **_PRIVATE,
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash_source(_STYLE)}; script-src {_hash_source(_SCRIPT)}; "
        "img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Vary": "Accept-Language",
}
"""The policy permits our own style and script, which are in the page, its empty icon, and the requests of the
script."""


class ShareHandlers:
    """Handlers of the routes of share links."""

    def __init__(self, parts: Parts) -> None:
        self._settle = parts.supplies[SETTLE_ENCOUNTER](parts)
        section = parts.settings.section(HandoverSection)
        data = EncounterDeviceData(
            parts.database, parts.clock, parts.supplies[RECEIVED_BATCHES], object_store_of(parts.settings)
        )
        self._handovers = SharedHandovers(
            parts.database,
            parts.clock,
            data,
            parts.supplies[ENCOUNTER_EVIDENCE](parts),
            period=LinkPeriod(section.link_h_after_arrival, section.link_h_max),
            zone=ZoneInfo(section.zone),
        )
        templates = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
        template = templates.get_template("share.html")
        self._pages = {language: template.render(_values(language)).encode() for language in Language}

    async def page(self, request: Request) -> Response:
        """Return the page, in the language of the reader's browser."""
        language = _preferred(request.headers)
        headers = {**_PAGE_HEADERS, "Content-Language": language.value}
        return Response(200, self._pages[language], "text/html; charset=utf-8", headers=headers)

    async def view(self, request: Request) -> Response:
        """Return the hand-over of a link. Raises `ShareLinkUnknown`, `ShareLinkEnded`, `CareRecordTooLarge`."""
        body = request.body
        assert isinstance(body, SharedHandoverRequest)
        opened = await self._handovers.admit(body.token, address=request.address, trace=request.trace)
        await self._settle(opened.actor, opened.encounter.id)
        found = await self._handovers.show(opened, language=body.language, order=body.order)
        part = SharedHandoverPart(
            html=handover_part(found.shown), arrived=found.arrived, expires_at=write_moment(found.expires_at_us)
        )
        return Json(part.model_dump(), headers=_PRIVATE)


def _values(language: Language) -> dict[str, object]:
    return {
        "lang": language.value,
        "say": {name: words.of(language) for name, words in WORDS.items()},
        "orders": [order.value for order in Order],
        "path": f"{PAGE_PATH}/view",
        # Our own files, without values.
        "style": Markup(_STYLE),  # noqa: S704
        "script": Markup(_SCRIPT),  # noqa: S704
    }


def _preferred(headers: CIMultiDictProxy[str]) -> Language:
    """Return the first language of an Accept-Language header that a hand-over has. Browsers send the preferred one
    first (RFC 9110 §12.5.4)."""
    accepted = headers.get("Accept-Language", "")[:_ACCEPT_LENGTH_MAX]
    known = {language.value: language for language in Language}
    names = (one.partition(";")[0].strip().lower().partition("-")[0] for one in accepted.split(","))
    return next((known[name] for name in names if name in known), Language.ENGLISH)
