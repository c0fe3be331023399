"""The common part of every administration page: session, role, language, anti-forgery token and rendering.

Every page handler is wrapped by `AdminPages.at`, so no page can omit the checks: the handler runs only for a signed-in
administrator, and for a submitted form only with the anti-forgery token of our own page.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from multidict import CIMultiDictProxy

from cloud.access.audit import Audit
from cloud.access.identity import Role, SignInHandlers, User, actor_of
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Handler, Listing, Parts, ReadRows, Request, Response, headers_of
from cloud.foundation.pages import Cookie, Language, Pages, language_of, see_other
from cloud.foundation.viewer import Actor
from cloud.partners.administration.moments import element, span
from cloud.partners.administration.schemas import AdminForm, LanguageForm
from cloud.partners.administration.words import WORDS

LANGUAGE_S = 365 * 86_400
ROWS = 50
"""Rows on one page of a list."""
_PARAMETER = re.compile(r"\{([A-Za-z_]+)\}")


class Area(StrEnum):
    """The sections of the administration, in navigation order. The value is the last part of the section's address."""

    HOME = ""
    APPS = "apps"
    WEBHOOKS = "webhooks"
    JOBS = "jobs"
    USERS = "users"
    AUDIT = "audit"
    KEYS = "keys"

    @property
    def path(self) -> str:
        return f"/admin/{self.value}" if self.value else "/admin"


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a signed-in administrator. `here` is the address of the requested page, for links back to it."""

    request: Request
    user: User
    area: Area
    language: Language
    here: str
    form_token: str = field(repr=False)

    @property
    def actor(self) -> Actor:
        """Return the administrator as the author of changes, with the trace id of this request."""
        return actor_of(self.user, self.request.trace)


Thing = TypeVar("Thing")
Work = Callable[[Visit], Awaitable[Response]]


class AdminPages:
    """The common part of all administration pages: check the session and role, render a page, paginate a list."""

    def __init__(self, parts: Parts, people: SignInHandlers, base: str) -> None:
        self.parts = parts
        self.audit = Audit(parts.clock)
        self._people = people
        self._renderer = Pages(Path(__file__).parent / "templates", WORDS)
        self._language = Cookie("argus_language", base, max_age_s=LANGUAGE_S)

    def at(self, area: Area, work: Work) -> Handler:
        """Return a handler that runs `work` for a signed-in administrator. It redirects a visitor without a session to
        the sign-in page, and shows any other user a page with status 403."""

        async def handle(request: Request) -> Response:
            session = await self._people.session(request)
            shows = request.route.method == "GET"
            here = _address(request) if shows else area.path
            if session is None:
                return self._people.lead_here(here)
            language = self.language(request.headers)
            token = self._people.form_token(request.headers)
            visit = Visit(request, session.user, area, language, here, token)
            if Role.ADMINISTRATOR not in session.user.roles:
                return self.page(visit, "not_for_you.html", status=403)
            if not shows:
                form = request.body
                assert isinstance(form, AdminForm)
                self._people.check_form(request, form.form_token)
            return await work(visit)

        return handle

    def page(
        self,
        visit: Visit,
        template: str,
        *,
        error: DomainError | None = None,
        status: int = 200,
        scripted: bool = False,
        **facts: Any,
    ) -> Response:
        """Render an administration page. `error`: the reason for which a form was rejected; the error's status replaces
        `status`. `scripted`: allow the page's script, for values with a Copy button. `facts`: the variables of the
        template."""
        language, now_us = visit.language, self.parts.clock.now_us()
        done = getattr(visit.request.query, "done", None)
        return self._renderer.respond(
            template,
            language,
            status=status if error is None else error.status,
            scripted=scripted,
            headers={} if error is None else headers_of(error),
            said=None if error is None else self.words_of(error, language),
            done=self._renderer.text(f"done.{done}", language) if f"done.{done}" in WORDS else None,
            area=visit.area.value,
            areas=[(one.value, one.path) for one in Area],
            username=visit.user.username,
            form_token=visit.form_token,
            here=visit.here,
            when=lambda at_us: element(at_us, now_us, language),
            span=span,
            now_us=now_us,
            word=lambda key: self._renderer.text(key, language) if key in WORDS else key.partition(".")[2],
            **facts,
        )

    def words_of(self, error: DomainError, language: Language) -> str:
        """Return the text of an error in the reader's language; the error's `detail` is not translated."""
        key = f"refusal.{error.code}"
        if key not in WORDS:
            return error.sentence
        return f"{self._renderer.text(key, language)} {error.detail}".rstrip()

    def refusal(self, error: DomainError, headers: CIMultiDictProxy[str]) -> Response:
        """Render an error on a page of its own, when it cannot be shown beside the form."""
        language = self.language(headers)
        return self._renderer.respond(
            "refused.html",
            language,
            status=error.status,
            headers=headers_of(error),
            said=self.words_of(error, language),
            code=error.code,
        )

    def language(self, headers: CIMultiDictProxy[str]) -> Language:
        """Return the language that the administrator chose on the administration pages (a cookie) or, without a choice,
        the language that the browser prefers."""
        return language_of(headers, self._language.read(headers))

    async def choose_language(self, visit: Visit) -> Response:
        """Store the language that the administrator chose in a cookie."""
        form: LanguageForm = visit.request.body
        cookies = [self._language.set(form.lang)] if form.lang in set(Language) else []
        return see_other(form.back or Area.HOME.path, cookies)

    async def rows(
        self,
        visit: Visit,
        read: ReadRows[Thing],
        position_of: Callable[[Thing], Any],
        filters: Mapping[str, Any] | None = None,
        *,
        position: tuple[type, ...] = (str,),
        limit: int = ROWS,
    ) -> tuple[Sequence[Thing], str | None]:
        """Return one page of a list and the address of the next page, None on the last page. `read` loads the rows
        after a position, which is a row's place in the sort order. `position_of` returns the position of a row.
        `position`: the types of the values that make up a position. A next page's address is valid only with the same
        `filters`. Raises `InvalidCursor`."""
        listing = Listing(
            cursors=self.parts.cursors,
            viewer=visit.actor,
            route=visit.request.route.name,
            filters=filters or {},
            position=position,
        )
        page = await listing.read_page(visit.request.query.cursor, limit, read, position_of)
        if page.next_cursor is None:
            return page.rows, None
        kept = visit.request.query.model_dump(exclude_none=True, exclude={"cursor", "done"}, exclude_defaults=True)
        return page.rows, f"?{urlencode({**kept, 'cursor': page.next_cursor})}"


def done(path: str, what: str) -> Response:
    """Redirect to the page at `path`, which shows a confirmation. `what`: the key of the confirmation text."""
    return see_other(f"{path}?{urlencode({'done': what})}")


def _address(request: Request) -> str:
    path = _PARAMETER.sub(lambda found: request.path[found[1]], request.route.path)
    if request.query is None:
        return path
    given = request.query.model_dump(exclude_none=True, exclude={"done"}, exclude_defaults=True)
    return f"{path}?{urlencode(given)}" if given else path
