"""Routes of the report drafts: list, open, read, follow, write, accept proposals, sign.

A tablet chooses the ids of its changes, so it may send a request again until it has a response, which is the same each
time. It is given when the changes are on the disk. A read and a stream have the sequence, the number of changes in the
draft's log: a tablet that has it knows what it has seen. Contradictions follow from `replaces`, the statements that
the author saw (`protocols.epcr.record`).

Errors have a code and a sentence, never what was entered. The author of a change is who has signed in on the tablet; a
page sends the member that it was opened for, so that nothing is stored under the name of the next one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from gateway.buffer import BufferClosed, StoreFull
from gateway.buffer.care_changes import ChangeIdReused
from gateway.crew.access import Access
from gateway.crew.pages import Pages
from gateway.crew.report_form import form_model
from gateway.crew.report_json import conflict_form, draft_form, listed_form, proposal_form
from gateway.crew.request_checks import json_object
from gateway.crew.routes import CrewRoute, member_of, member_session_of, session_of
from gateway.crew.session import MemberSession
from gateway.crew.shares import StreamPlaces
from gateway.crew.stream import event
from gateway.epcr.call_observations import CallObservations
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import INCOMPLETE, ChangesRefused, ConflictsOpen, Drafts
from gateway.epcr.record_writer import RecordWriter
from gateway.epcr.requests import time_us
from gateway.epcr.suggestions import suggestions
from gateway.security.crew_members import CrewMembers
from gateway.transports.clock import Clock
from protocols.epcr.draft import SEALED
from protocols.epcr.proposal import accepted
from protocols.epcr.record import Field, FieldName
from protocols.uplink.epcr import CHANGES_BYTES_MAX
from protocols.uplink.topics import is_identifier

BODY_BYTES_MAX = CHANGES_BYTES_MAX + 64 * 1024
"""The largest request of changes, with the names of its fields."""
SMALL_BODY_BYTES_MAX = 4 * 1024
ACCEPTED_MAX = 16
"""Proposals that one request accepts: those of an hour of vital signs."""
OPENED_MAX, OPENED_S = 32, 3600.0
"""Reports that the tablets open within an hour: every patient of a disaster, and half of the drafts in memory."""
STREAMS_MAX, ADDRESS_STREAMS_MAX = 32, 6
"""Streams of drafts at one time, in all and of one address: the connections that a browser opens to one host."""
WRITE_S = 10.0
"""Seconds for one write; a tablet that takes longer is out of range."""
QUIET_S = 15.0
"""Seconds after which a stream without changes sends a sign of life, so that a tablet notices a lost gateway."""
_CONFLICTS = frozenset((SEALED, INCOMPLETE.code, "id_reused"))
"""Codes of refusals that the state of the draft causes, not the request."""

Json = dict[str, Any]


class Reports:
    """The handlers of the report drafts."""

    def __init__(
        self,
        drafts: Drafts,
        observations: CallObservations,
        clock: Clock,
        pages: Pages,
        is_open: Callable[[MemberSession], bool],
        members: CrewMembers,
    ) -> None:
        self._drafts = drafts
        self._observations = observations
        self._writer = RecordWriter(drafts, clock)
        self._clock = clock
        self._pages = pages
        self._is_open = is_open
        self._members = members
        self._places = StreamPlaces(total=STREAMS_MAX, each=ADDRESS_STREAMS_MAX)
        self._opened_at_s: deque[float] = deque(maxlen=OPENED_MAX)

    def routes(self) -> tuple[CrewRoute, ...]:
        draft = "/drafts/{encounter}"
        return (
            CrewRoute("GET", "/reports", self._list_page, Access.READ, page=True),
            CrewRoute("GET", "/reports/{encounter}", self._page, Access.READ, page=True),
            CrewRoute("GET", "/report-form", self._form, Access.READ),
            CrewRoute("GET", "/drafts", self._list, Access.READ),
            CrewRoute("POST", "/drafts", self._open, Access.WRITE),
            CrewRoute("GET", draft, self._read, Access.READ),
            CrewRoute("GET", f"{draft}/stream", self._stream, Access.READ),
            CrewRoute("POST", f"{draft}/changes", self._append, Access.WRITE),
            CrewRoute("GET", f"{draft}/proposals", self._proposals, Access.READ),
            CrewRoute("POST", f"{draft}/proposals", self._accept, Access.WRITE),
            CrewRoute("POST", f"{draft}/devices", self._take_devices, Access.WRITE),
            CrewRoute("GET", f"{draft}/suggestions", self._suggest, Access.READ),
            CrewRoute("POST", f"{draft}/signature", self._sign, Access.SIGN),
        )

    async def _list_page(self, request: web.Request) -> web.StreamResponse:
        return self._pages.render(request, "reports.html")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        return self._pages.render(request, "report.html", encounter=draft.encounter)

    async def _form(self, request: web.Request) -> web.StreamResponse:
        names = {each.id: each.name for each in self._members.all().values()}
        return web.json_response({**form_model(), "members": names})

    async def _list(self, request: web.Request) -> web.StreamResponse:
        with suppress(StoreFull, BufferClosed):  # what was read before is shown
            await self._drafts.catch_up()
        now_us, holder = self._clock.wall_us(), self._drafts.devices.holder
        drafts = [listed_form(each, now_us, holds_devices=each is holder) for each in self._drafts.all()]
        return web.json_response({"drafts": drafts})

    async def _open(self, request: web.Request) -> web.StreamResponse:
        body = await json_object(request, self._clock, bytes_max=SMALL_BODY_BYTES_MAX)
        encounter = body.get("encounter")
        if not isinstance(encounter, str) or not is_identifier(encounter):
            return _refusal(422, "encounter_malformed", "encounter is an id of 1 to 64 letters, digits or hyphens.")
        if self._drafts.find(encounter) is None and not self._count_opening():
            return _refusal(429, "too_many", f"At most {OPENED_MAX} reports are opened within an hour.")
        ids = (f"{encounter[-48:]}-open-{number}" for number in range(len(encounter) + 64))
        try:
            draft = await self._drafts.open(encounter, author=member_of(request).id, change_ids=ids)
        except ChangesRefused as refused:
            return _refusal(409, refused.fault.code, refused.fault.text)
        except ChangeIdReused as reused:
            return _refusal(409, "id_reused", str(reused))
        except (StoreFull, BufferClosed):
            return _cannot_store()
        return web.json_response({"encounter": draft.encounter, "sequence": draft.sequence})

    def _count_opening(self) -> bool:
        """Count one more report. Return False beyond the limit: a tablet that opens reports without an end would push
        those of the crew out of the list."""
        now_s = self._clock.monotonic_s()
        if len(self._opened_at_s) == OPENED_MAX and now_s - self._opened_at_s[0] < OPENED_S:
            return False
        self._opened_at_s.append(now_s)
        return True

    async def _read(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        return web.json_response(draft_form(draft, draft.record.fields))

    async def _append(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        body = await _body(request, self._clock, bytes_max=BODY_BYTES_MAX)
        if draft.sealed and not session_of(request).may(Access.SIGN):
            return _refusal(403, "sealed", "This report is signed. Your role may not add an addendum.")
        reply = await self._writer.append(
            {"encounter": draft.encounter, "author": member_of(request).id, "changes": body.get("changes")}
        )
        if (refused := reply.get("refused")) is not None:
            code = refused[0]["code"]
            status = 503 if code == "store_full" else 409 if code in _CONFLICTS else 422
            return web.json_response(reply, status=status)
        return web.json_response({**reply, "sequence": draft.sequence})

    async def _proposals(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        try:
            found = await self._observations.proposals(draft)
        except (StoreFull, BufferClosed):
            return _cannot_store()
        holder = self._drafts.devices.holder
        state = "here" if holder is draft else "free" if holder is None else "elsewhere"
        return web.json_response({"proposals": [proposal_form(each) for each in found], "devices": state})

    async def _take_devices(self, request: web.Request) -> web.StreamResponse:
        """Let the devices measure for this report from now on, or since it was opened."""
        draft = await self._find(request)
        body = await _body(request, self._clock)
        since = body.get("since")
        if since not in ("now", "opening"):
            return _refusal(422, "since_malformed", "since is now or opening.")
        try:
            await self._drafts.take_devices(
                draft.encounter, author=member_of(request).id, since_opening=since == "opening"
            )
        except ChangesRefused as refused:
            return _refusal(409, refused.fault.code, refused.fault.text)
        except (StoreFull, BufferClosed):
            return _cannot_store()
        return web.json_response({"devices": "here", "sequence": draft.sequence})

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        body = await _body(request, self._clock)
        ids = body.get("accept")
        if not isinstance(ids, list) or not 1 <= len(ids) <= ACCEPTED_MAX or not all(isinstance(i, str) for i in ids):
            return _refusal(422, "accept_malformed", f"accept is a list of 1 to {ACCEPTED_MAX} ids of proposals.")
        if draft.sealed:
            return _refusal(409, "sealed", "This report is signed. Add an addendum instead.")
        device_time_us = time_us(body.get("device_time"))
        try:
            found = await self._observations.find(draft, ids)
            for proposal in found:
                changes = accepted(
                    proposal,
                    encounter=draft.encounter,
                    author=member_of(request).id,
                    gateway_time_us=self._clock.wall_us(),
                    device_time_us=device_time_us,
                )
                # What was accepted before has its first time, so sending it again would be another change.
                if new := [each for each in changes if each.id not in draft.ids]:
                    await self._drafts.append_changes(new)
        except ChangesRefused as refused:  # signed on another tablet meanwhile, or full
            return _refusal(409, refused.fault.code, refused.fault.text)
        except ChangeIdReused as reused:  # accepted by another request of this member meanwhile
            return _refusal(409, "id_reused", str(reused))
        except (StoreFull, BufferClosed):
            return _cannot_store()
        return web.json_response({"accepted": [each.id for each in found], "sequence": draft.sequence})

    async def _suggest(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        return web.json_response({"suggestions": suggestions(draft, self._drafts.all())})

    async def _sign(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        body = await _body(request, self._clock)
        try:
            await self._drafts.sign_off(
                draft.encounter,
                author=member_of(request).id,
                name=member_of(request).name,
                device_time_us=time_us(body.get("device_time")),
            )
        except ConflictsOpen as refused:
            conflicts = [conflict_form(each) for each in refused.conflicts]
            return web.json_response(
                {"refused": [_fault(refused.fault.code, refused.fault.text)], "conflicts": conflicts}, status=409
            )
        except ChangesRefused as refused:
            return _refusal(409, refused.fault.code, refused.fault.text)
        except (StoreFull, BufferClosed):
            return _cannot_store()
        return web.json_response({"sealed": True, "sequence": draft.sequence})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        draft = await self._find(request)
        session = member_session_of(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        with self._places.place(request) as place, suppress(ConnectionResetError, TimeoutError):
            # Suppressed: the page was closed or is out of range; the browser reconnects when it returns.
            await response.prepare(request)
            async for message in self._events(draft, request.query.get("since", "")):
                if place.given_away or not self._is_open(session):
                    break  # the tablet was locked
                async with asyncio.timeout(WRITE_S):
                    await response.write(message)
        return response

    async def _events(self, draft: Draft, since: str) -> AsyncIterator[bytes]:
        """Yield the state of a draft and each change of it. `since`: the sequence that the tablet has; where it is the
        present one, only later changes are sent."""
        changed = asyncio.Event()
        draft.watchers.add(changed)
        try:
            sent = {each.name: each for each in draft.record.fields}
            if since != str(draft.sequence):
                yield event("draft", draft_form(draft, draft.record.fields))
            while True:
                if await self._is_quiet(changed):
                    if self._drafts.find(draft.encounter) is not draft:
                        return  # it was dropped from memory; the page connects and reads it again
                    yield event("quiet", {"sequence": draft.sequence})
                    continue
                changed.clear()
                now = {each.name: each for each in draft.record.fields}
                yield event("changes", changes_form(draft, sent, now))
                sent = now
        finally:
            draft.watchers.discard(changed)

    async def _is_quiet(self, changed: asyncio.Event) -> bool:
        try:
            async with self._clock.timeout_at(self._clock.monotonic_s() + QUIET_S):
                await changed.wait()
        except TimeoutError:
            return True
        return False

    async def _find(self, request: web.Request) -> Draft:
        """Return the draft of the route. Raises 404."""
        encounter = request.match_info["encounter"]
        try:
            draft = await self._drafts.load(encounter)
        except (StoreFull, BufferClosed):
            draft = self._drafts.find(encounter)  # what was read before is shown; a write is refused with the reason
        if draft is None or not draft.changes:
            raise web.HTTPNotFound(text="This vehicle has no such report.\n")
        return draft


def changes_form(draft: Draft, sent: dict[FieldName, Field], now: dict[FieldName, Field]) -> Json:
    """Return the state of a draft with the fields that differ from what was sent, and the names of those without
    content now."""
    form = draft_form(draft, [each for name, each in now.items() if sent.get(name) != each])
    form["emptied"] = [{"key": name.key, "entry": name.entry} for name in sent if name not in now]
    return form


async def _body(request: web.Request, clock: Clock, *, bytes_max: int = SMALL_BODY_BYTES_MAX) -> Json:
    """Return the body of a request that states something. Raises 401 where its "member" is not who has signed in: the
    page of the member before was still open, and its entries would get the wrong author."""
    body = await json_object(request, clock, bytes_max=bytes_max)
    if body.get("member", member_of(request).id) != member_of(request).id:
        raise web.HTTPUnauthorized(text="Another crew member has signed in on this tablet. Sign in again.\n")
    return body


def _fault(code: str, text: str) -> Json:
    return {"index": None, "code": code, "text": text}


def _refusal(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"refused": [_fault(code, text)]}, status=status)


def _cannot_store() -> web.Response:
    return _refusal(503, "store_full", "The gateway cannot record now. Keep what was entered and send it again.")
