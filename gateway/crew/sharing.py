"""Sharing a hand-over over the cloud, on the crew's pages: a link as QR and as text, its revocation, and the arrival.

The link works once the cloud has received it and knows the call of its report; until then the page states what is
missing, and checks every few seconds. The page
with the link is the response to a form and has an address of its own that needs a crew member, so that the token is in
no address of the vehicle.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from gateway.buffer.errors import BufferError
from gateway.crew.access import Access
from gateway.crew.pages import Pages, language_of
from gateway.crew.qr import qr_code
from gateway.crew.refusals import explained
from gateway.crew.request_checks import form_fields
from gateway.crew.routes import CrewRoute, member_of
from gateway.epcr.drafts import ChangesRefused
from gateway.epcr.handover.statements import (
    ARRIVAL_MIN_MAX,
    EncounterUnknown,
    HandoverStatements,
    LinkState,
    TooManyLinks,
)
from gateway.transports.clock import Clock
from protocols.epcr.sharing import link_address

ARRIVAL_CHOICES_MIN = (2, 5, 10, 15, 20, 30, 45)
"""Times to the arrival that are one tap."""

_STATES = {
    LinkState.PENDING: "handover.share.pending",
    LinkState.WITHOUT_CALL: "handover.share.no_call",
    LinkState.OPEN: "handover.share.sent",
}
"""Key of the sentence about the state of a link."""

T = TypeVar("T")

Note = Callable[[str, str], Awaitable[None]]
"""Records an event: its name, and the id of its encounter."""


class SharePages:
    """The pages of share links, and the form of the expected arrival."""

    def __init__(self, statements: HandoverStatements, note: Note, clock: Clock, pages: Pages) -> None:
        self._statements = statements
        self._note = note
        self._clock = clock
        self._pages = pages

    def routes(self) -> tuple[CrewRoute, ...]:
        encounter = "/handover/{encounter}"
        return (
            CrewRoute("GET", f"{encounter}/share", self._page, Access.HAND_OVER, page=True),
            CrewRoute("POST", f"{encounter}/share", self._share, Access.HAND_OVER),
            CrewRoute("POST", f"{encounter}/share/revoked", self._revoke, Access.HAND_OVER),
            CrewRoute("POST", f"{encounter}/arrival", self._expect_arrival, Access.HAND_OVER),
        )

    async def _page(self, request: web.Request) -> web.StreamResponse:
        """Show the open link again, or a way back where this process did not make it."""
        encounter = request.match_info["encounter"]
        link, docs_url = self._statements.find(encounter), self._statements.docs_url
        if link is None or docs_url is None:
            raise web.HTTPSeeOther(f"/handover/{encounter}")
        address = link_address(docs_url, link.token)
        return self._pages.render(
            request,
            "handover_share.html",
            address=address,
            picture=qr_code(address),
            state=_STATES[self._statements.link_state(encounter)],
            files=f"/handover/{encounter}",
        )

    async def _share(self, request: web.Request) -> web.StreamResponse:
        encounter, words = request.match_info["encounter"], language_of(request)
        if self._statements.docs_url is None:
            raise explained(request, web.HTTPNotFound, "handover.share.unavailable")
        if self._statements.find(encounter) is None:
            author, reason = member_of(request).id, words.text("handover.share.reason")
            await _stored(request, self._statements.share(encounter, author=author, reason=reason))
            await self._note("handover.shared", encounter)
        raise web.HTTPSeeOther(f"/handover/{encounter}/share")

    async def _revoke(self, request: web.Request) -> web.StreamResponse:
        encounter = request.match_info["encounter"]
        author, reason = member_of(request).id, language_of(request).text("handover.share.revoke_reason")
        if await _stored(request, self._statements.revoke(encounter, author=author, reason=reason)):
            await self._note("handover.share_revoked", encounter)
        raise web.HTTPSeeOther(f"/handover/{encounter}")

    async def _expect_arrival(self, request: web.Request) -> web.StreamResponse:
        encounter, words = request.match_info["encounter"], language_of(request)
        text = (await form_fields(request, self._clock)).get("minutes", "")
        if not (text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= ARRIVAL_MIN_MAX):
            raise web.HTTPBadRequest(text=f"minutes is a whole number from 0 to {ARRIVAL_MIN_MAX}.\n")
        author, reason = member_of(request).id, words.text("handover.arrival.reason")
        await _stored(request, self._statements.expect_arrival(encounter, int(text), author=author, reason=reason))
        raise web.HTTPSeeOther(f"/handover/{encounter}")


async def _stored(request: web.Request, storing: Awaitable[T]) -> T:
    """Return the result of storing a statement; raise 404, 409 or 503 with the reason as text."""
    try:
        return await storing
    except EncounterUnknown:
        raise explained(request, web.HTTPNotFound, "handover.unknown") from None
    except TooManyLinks:
        raise explained(request, web.HTTPConflict, "handover.share.too_many") from None
    except ChangesRefused as refused:
        raise web.HTTPConflict(text=f"{refused.fault.text}\n") from None
    except BufferError:
        raise explained(request, web.HTTPServiceUnavailable, "handover.unreadable") from None
