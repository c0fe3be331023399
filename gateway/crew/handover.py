"""Routes of the hand-over: for the crew, and for one reader of the hospital with a one-time code.

The crew chooses an encounter (`/handover`), shows its code, and records with one tap that the patient was received. The
reader opens `/h/CODE`, or types the code at `/h`, gets a cookie that lives for half an hour, and reads `/h/view`, its
PDF and its bundle. The reader needs no PIN and sees nothing else.

A code in an address is spent when it is opened, and no address has anything of the patient.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from aiohttp import web

from gateway.buffer.errors import BufferError
from gateway.buffer.reading import CareRecordSpan
from gateway.crew.access import Access
from gateway.crew.pages import Pages, language_of
from gateway.crew.qr import qr_code
from gateway.crew.refusals import explained
from gateway.crew.request_checks import cookie, form_fields
from gateway.crew.routes import CrewRoute, member_of, session_of
from gateway.crew.shares import Rate
from gateway.crew.sharing import ARRIVAL_CHOICES_MIN, Note, SharePages
from gateway.epcr.handover.bundle import Describe, handover_bundle
from gateway.epcr.handover.codes import CODE_S, READ_S, HandoverCodes, Refused
from gateway.epcr.handover.handovers import TRANSFER_OF_CARE, EncounterUnknown, Handover, Handovers
from gateway.epcr.handover.pdf import PdfPrinter, PdfUnavailable
from gateway.epcr.handover.statements import HandoverStatements
from gateway.transports.clock import Clock
from protocols.epcr.annotations import Annotation
from protocols.epcr.draft import SEALED
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.page import STYLE, handover_page, page_values
from protocols.epcr.handover.wording import Wording

READER_COOKIE = "argus_reader"
READER_PATH = "/h"
LIST_MAX = 50
"""Encounters in the list: weeks of work of one vehicle."""
RECEIVER_LENGTH_MAX = 60
CODE_TEXT_LENGTH_MAX = 32
READING = Rate("hand-over", burst=12, every_s=3.0)
"""Requests of a hand-over: each reads the values of the whole call. A person opens the page, its PDF and its bundle."""
_STYLESHEET_URL = "/h/handover.css"
_VIEW = "/h/view"
_PREFETCH = ("Sec-Purpose", "Purpose")
_RECEIVER = "4512005"
"""Signer "health care provider" of the signatures."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Append = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Stores field changes of a care record (`gateway.epcr.record_writer`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverParts:
    """Parts of the gateway that the pages need. `append` stores who received the patient, `describe` returns what a
    device reported about itself, `note` records an event of an encounter durably, for the audit, and `zone` is the time
    zone of the times that people read. `statements` stores share links and arrivals; without it there are none.
    `continued` returns the report that continues each joined mission: the hand-over is that of the report."""

    handovers: Handovers
    append: Append
    describe: Describe
    note: Note
    zone: tzinfo
    statements: HandoverStatements | None = None
    continued: Callable[[], Mapping[str, str]] = dict


class HandoverPages:
    """The hand-over's pages of one vehicle."""

    def __init__(self, parts: HandoverParts, clock: Clock, pages: Pages) -> None:
        self._handovers = parts.handovers
        self._append = parts.append
        self._describe = parts.describe
        self._note = parts.note
        self._zone = parts.zone
        self._clock = clock
        self._pages = pages
        self._codes = HandoverCodes(clock)
        self._printer = PdfPrinter()
        self._receiving = asyncio.Lock()
        self._statements = parts.statements
        self._continued = parts.continued
        self._sharing = None if parts.statements is None else SharePages(parts.statements, parts.note, clock, pages)

    def routes(self) -> tuple[CrewRoute, ...]:
        encounter = "/handover/{encounter}"
        return (
            CrewRoute("GET", "/handover", self._list, Access.HAND_OVER, page=True, rate=READING),
            CrewRoute("GET", encounter, self._crew_page, Access.HAND_OVER, page=True, rate=READING),
            CrewRoute("GET", f"{encounter}/pdf", self._crew_pdf, Access.HAND_OVER, rate=READING),
            CrewRoute("GET", f"{encounter}/bundle", self._crew_bundle, Access.HAND_OVER, rate=READING),
            CrewRoute("POST", f"{encounter}/code", self._issue, Access.HAND_OVER),
            CrewRoute("POST", f"{encounter}/received", self._receive, Access.HAND_OVER),
            *(() if self._sharing is None else self._sharing.routes()),
            # Open to a reader: each of these needs a code, or the cookie that a code was exchanged for.
            CrewRoute("GET", READER_PATH, self._enter_page, Access.OPEN),
            CrewRoute("POST", READER_PATH, self._enter, Access.OPEN),
            CrewRoute("GET", _STYLESHEET_URL, self._stylesheet, Access.OPEN),
            CrewRoute("GET", _VIEW, self._reader_page, Access.OPEN, rate=READING),
            CrewRoute("GET", f"{_VIEW}/pdf", self._reader_pdf, Access.OPEN, rate=READING),
            CrewRoute("GET", f"{_VIEW}/bundle", self._reader_bundle, Access.OPEN, rate=READING),
            CrewRoute("GET", f"{READER_PATH}/{{code}}", self._open, Access.OPEN),
        )

    # ---- the crew

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wording = Wording(_language(request), self._zone, self._clock.wall_us())
        spans = await self._encounters(request)
        continued = self._continued_in(spans)
        shown = [span for span in spans if span.encounter not in continued][:LIST_MAX]
        try:
            titles = [await self._handovers.title(span.encounter) for span in shown]
        except BufferError:
            raise _unreadable(request) from None
        words = language_of(request)
        encounters = [
            (
                span.encounter,
                wording.text(title.complaint).strip()
                or words.text_or(f"choices.{title.symptom}", words.text("report.list.no_complaint")),
                wording.text(title.patient_age),
                wording.time(span.last_us),
            )
            for span, title in zip(shown, titles, strict=True)
        ]
        return self._pages.render(request, "handover_list.html", encounters=encounters)

    async def _crew_page(self, request: web.Request) -> web.StreamResponse:
        encounter = request.match_info["encounter"]
        if encounter in (continued := self._continued_in(await self._encounters(request))):
            raise web.HTTPSeeOther(f"/handover/{continued[encounter]}")  # the mission's log has nothing of the crew
        handover = await self._make(request, encounter)
        opened_us = self._codes.opened_us(encounter)
        return self._pages.render(
            request,
            "handover.html",
            200,
            **page_values(handover.shown, f"/handover/{encounter}"),
            opened_at="" if opened_us is None else handover.wording.time(opened_us),
            code_is_open=self._codes.has_code(encounter),
            received_at=handover.transferred_at,
            can_share=self._statements is not None and self._statements.docs_url is not None,
            is_shared=self._statements is not None and self._statements.has_open_links(encounter),
            link_is_known=self._statements is not None and self._statements.find(encounter) is not None,
            arrivals=() if self._statements is None else ARRIVAL_CHOICES_MIN,
        )

    async def _crew_pdf(self, request: web.Request) -> web.StreamResponse:
        return await self._pdf(request, request.match_info["encounter"])

    async def _crew_bundle(self, request: web.Request) -> web.StreamResponse:
        return await self._bundle(request, request.match_info["encounter"])

    async def _issue(self, request: web.Request) -> web.StreamResponse:
        """Show a new code. The page is the response itself, so that the code is in no address of the crew's tablet."""
        encounter = request.match_info["encounter"]
        await self._require(request, encounter)
        issued = self._codes.issue(encounter)
        address = f"{request.scheme}://{request.headers.get('Host', '')}{READER_PATH}"
        now_us = self._clock.wall_us()
        await self._note("handover.code_issued", encounter)
        return self._pages.render(
            request,
            "handover_code.html",
            code=issued.code,
            address=address,
            picture=qr_code(f"{address}/{issued.code}"),
            until=Wording(_language(request), self._zone, now_us).time(now_us + round(CODE_S * 1_000_000)),
            files=f"/handover/{encounter}",
        )

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Record that the hospital received the patient, and by whom."""
        encounter = request.match_info["encounter"]
        await self._require(request, encounter)
        fields = await form_fields(request, self._clock)
        async with self._receiving:
            # A second tap, or another tablet: one receipt is enough, and the report corrects it.
            if not await self._handovers.is_received(encounter):
                await self._record_receipt(request, encounter, fields)
        raise web.HTTPSeeOther(f"/handover/{encounter}")

    async def _record_receipt(self, request: web.Request, encounter: str, fields: Mapping[str, str]) -> None:
        name = " ".join(fields.get("name", "").split())[:RECEIVER_LENGTH_MAX]
        moment = (_EPOCH + timedelta(microseconds=self._clock.wall_us())).astimezone(self._zone)
        at, entry = moment.isoformat(timespec="seconds"), f"received-{uuid.uuid4().hex[:12]}"
        signature = {
            "signatures.signer": _RECEIVER,
            "signatures.reason": TRANSFER_OF_CARE,
            "signatures.time": at,
            **({"signatures.last_name": name} if name else {}),
        }
        changes = [
            {"id": str(uuid.uuid4()), "key": key, "entry": entry, "value": text} for key, text in signature.items()
        ]
        changes.append({"id": str(uuid.uuid4()), "key": "times.transfer_of_care", "value": at})
        sent = {"encounter": encounter, "author": member_of(request).id, "changes": changes}
        reply = await self._append(sent)
        if "stored" not in reply and reply["refused"][0]["code"] == SEALED:
            if not session_of(request).may(Access.SIGN):
                raise explained(request, web.HTTPForbidden, "handover.addendum_forbidden")
            reason = language_of(request).text("handover.receive")
            addendum = {"id": str(uuid.uuid4()), "key": Annotation.ADDENDUM.value, "entry": entry, "value": reason}
            reply = await self._append({**sent, "changes": [addendum, *changes]})
        if "stored" not in reply:
            raise web.HTTPConflict(text=f"{reply['refused'][0]['text']}\n")
        await self._note("handover.received", encounter)

    # ---- the reader

    async def _enter_page(self, request: web.Request) -> web.StreamResponse:
        return self._entry_form(request, 200, "")

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        fields = await form_fields(request, self._clock)
        return await self._open_code(request, fields.get("code", "")[:CODE_TEXT_LENGTH_MAX])

    async def _open(self, request: web.Request) -> web.StreamResponse:
        if any("prefetch" in request.headers.get(name, "") for name in _PREFETCH):
            raise explained(request, web.HTTPForbidden, "handover.enter.preview")  # a preview must not spend it
        code = request.match_info["code"][:CODE_TEXT_LENGTH_MAX]
        if self._codes.is_spent_by(code, cookie(request, READER_COOKIE)):
            raise web.HTTPSeeOther(_VIEW)  # the reader scanned the spent code again
        return await self._open_code(request, code)  # a reader of another patient reads this one from now on

    async def _open_code(self, request: web.Request, code: str) -> web.StreamResponse:
        opened = self._codes.open(code, request.remote or "")
        if isinstance(opened, Refused):
            words = language_of(request)
            if opened.wait_s:
                message = words.text("handover.enter.wait", seconds=max(1, round(opened.wait_s)))
                return self._entry_form(request, 429, message)
            return self._entry_form(request, 403, words.text("handover.enter.wrong"))
        encounter = self._codes.encounter_of(opened.token)
        assert encounter is not None, "the token was issued just now"
        await self._note("handover.opened", encounter)
        response = web.HTTPSeeOther(_VIEW)
        response.set_cookie(
            READER_COOKIE,
            opened.token,
            max_age=round(READ_S),
            httponly=True,
            secure=request.secure,
            samesite="Lax",  # a reader may come from the page of a scanner; its requests change nothing
            path=READER_PATH,
        )
        raise response

    async def _reader_page(self, request: web.Request) -> web.StreamResponse:
        handover = await self._make(request, self._require_reader(request))
        text = handover_page(handover.shown, stylesheet_url=_STYLESHEET_URL, files=_VIEW)
        return web.Response(text=text, content_type="text/html")

    async def _reader_pdf(self, request: web.Request) -> web.StreamResponse:
        return await self._pdf(request, self._require_reader(request))

    async def _reader_bundle(self, request: web.Request) -> web.StreamResponse:
        return await self._bundle(request, self._require_reader(request))

    async def _stylesheet(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=STYLE, content_type="text/css")

    def _entry_form(self, request: web.Request, status: int, message: str) -> web.Response:
        values = {"message": message, "lang": language_of(request).code, "stylesheet_url": _STYLESHEET_URL}
        return self._pages.render(request, "handover_enter.html", status, **values)

    def _reader_of(self, request: web.Request) -> str | None:
        token = cookie(request, READER_COOKIE)
        return self._codes.encounter_of(token) if token else None

    def _require_reader(self, request: web.Request) -> str:
        encounter = self._reader_of(request)
        if encounter is None:
            raise web.HTTPSeeOther(READER_PATH)
        return encounter

    # ---- both

    async def _make(self, request: web.Request, encounter: str) -> Handover:
        try:
            order = Order(request.query.get("order", Order.IMIST_AMBO))
        except ValueError:
            raise web.HTTPBadRequest(text=f"order is one of {', '.join(Order)}.\n") from None
        try:
            return await self._handovers.make(encounter, _language(request), order)
        except EncounterUnknown:
            raise _unknown(request) from None
        except BufferError:
            raise _unreadable(request) from None

    async def _encounters(self, request: web.Request) -> Sequence[CareRecordSpan]:
        try:
            return await self._handovers.encounters()
        except BufferError:
            raise _unreadable(request) from None

    def _continued_in(self, spans: Sequence[CareRecordSpan]) -> Mapping[str, str]:
        """Return the reports of this vehicle that continue joined missions, by the mission's encounter."""
        known = {span.encounter for span in spans}
        return {mission: report for mission, report in self._continued().items() if report in known}

    async def _require(self, request: web.Request, encounter: str) -> None:
        if all(span.encounter != encounter for span in await self._encounters(request)):
            raise _unknown(request)

    async def _pdf(self, request: web.Request, encounter: str) -> web.Response:
        handover = await self._make(request, encounter)
        try:
            body = await self._printer.print(handover)
        except PdfUnavailable:
            raise explained(request, web.HTTPServiceUnavailable, "handover.pdf_failed") from None
        headers = {"Content-Disposition": 'inline; filename="handover.pdf"'}
        return web.Response(body=body, content_type="application/pdf", headers=headers)

    async def _bundle(self, request: web.Request, encounter: str) -> web.Response:
        body = handover_bundle(await self._make(request, encounter), self._describe)
        headers = {"Content-Disposition": 'attachment; filename="handover.json"'}
        return web.Response(body=body, content_type="application/fhir+json", headers=headers)


def _language(request: web.Request) -> Language:
    """Return the language of a hand-over: that of the page around it."""
    return Language(language_of(request).code)


def _unreadable(request: web.Request) -> web.HTTPError:
    return explained(request, web.HTTPServiceUnavailable, "handover.unreadable")


def _unknown(request: web.Request) -> web.HTTPError:
    return explained(request, web.HTTPNotFound, "handover.unknown")
