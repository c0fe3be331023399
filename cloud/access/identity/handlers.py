"""Handlers of the sign-in pages. `sign_in` makes the decisions; the handlers turn them into pages, cookies and
redirects. Pages of other slices call `SignInHandlers.session` to get the signed-in user, and `lead_here` to redirect to
the sign-in page.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from multidict import CIMultiDictProxy

from cloud.access.identity import second_factor
from cloud.access.identity.errors import CodeRefused, PasswordUnfit, SignInBusy, SignInRefused, SignInThrottled
from cloud.access.identity.model import Role
from cloud.access.identity.schemas import CodeForm, CodeQuery, SetUpForm, SignInForm, SignInQuery, SignOutForm
from cloud.access.identity.service import Users
from cloud.access.identity.sessions import BROWSER_S, Session, new_secret
from cloud.access.identity.sign_in import SignIn, Stage
from cloud.access.identity.words import WORDS
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Request, Response, address_class, headers_of
from cloud.foundation.pages import Cookie, Language, Pages, check_form, language_of, see_other, token_of

PAGES = Pages(Path(__file__).parent / "templates", WORDS)
DONE = "/sign-in"
_STAGES = {None: DONE, Stage.CODE: "/sign-in/second-factor", Stage.SET_UP: "/sign-in/second-factor/set-up"}
_REJECTIONS: dict[type[DomainError], str] = {
    CodeRefused: "code.refused",
    PasswordUnfit: "password.unfit",
    SignInBusy: "sign_in.busy",
    SignInRefused: "password.refused",
    SignInThrottled: "sign_in.throttled",
}
"""The texts of rejected changes of a credential."""


class _FormView(NamedTuple):
    """The variable content of a page with a form. `onward`: the path to open after sign-in. `key`: key of the text that
    explains a refusal; None when the page is first shown. `wait_s`: seconds until the next attempt is allowed."""

    onward: str
    lang: str | None
    key: str | None = None
    status: int = 200
    wait_s: int = 0


class Cookies:
    """The three cookies of the auth host: session, visit and browser. The visit cookie ties forms to a browser before a
    user is signed in. The browser cookie marks a browser in which a user has signed in."""

    def __init__(self, base: str) -> None:
        self.session = Cookie("argus_session", base)
        self.visit = Cookie("argus_visit", base)
        self.browser = Cookie("argus_browser", base, max_age_s=BROWSER_S)


LeadsTo = Callable[[str], Awaitable[tuple[str, ...]]]
"""Returns the addresses on other hosts to which a path of the auth host may redirect, for the policy of a form."""


class SignInHandlers:
    """Handlers of the sign-in pages of the auth host. `base`: the public address of the auth host."""

    def __init__(self, sign_in: SignIn, users: Users, base: str, leads_to: LeadsTo) -> None:
        self._sign_in = sign_in
        self._users = users
        self._base = base
        self._leads_to = leads_to
        self.cookies = Cookies(base)

    # For the pages of other slices.

    async def session(self, request: Request) -> Session | None:
        """Return the session of a user who has completed all steps of sign-in, otherwise None."""
        session = await self._sign_in.session(self.cookies.session.read(request.headers))
        return session if session is not None and self._sign_in.stage(session) is Stage.COMPLETE else None

    def form_token(self, headers: CIMultiDictProxy[str]) -> str:
        """Return the token that a form of the signed-in user contains to prevent forged requests."""
        return token_of(self.cookies.session.read(headers) or "")

    def check_form(self, request: Request, given: str | None) -> None:
        """Check that a form with the token `given` comes from the signed-in user's own page. Raises `FormForged`."""
        check_form(request.headers, self._base, self.cookies.session.read(request.headers), given)

    def account_page(
        self,
        template: str,
        request: Request,
        lang: str | None,
        *,
        error: DomainError | None = None,
        key: str | None = None,
        status: int = 200,
        **facts: Any,
    ) -> Response:
        """Render a page on which a user changes a credential. `error`: the reason why the form was rejected, which
        selects the page's text and status. Without an `error`, `key` selects the text and `status` is the HTTP status.
        `facts`: further values for the template."""
        language = language_of(request.headers, lang)
        if error is not None:
            key, status = _REJECTIONS[type(error)], error.status
        return PAGES.respond(
            template,
            language,
            status=status,
            headers={} if error is None else headers_of(error),
            said=key and PAGES.text(key, language, wait_s=getattr(error, "wait_s", 0)),
            form_token=self.form_token(request.headers),
            **facts,
        )

    @staticmethod
    def lead_here(back_to: str) -> Response:
        """Redirect to the sign-in page, which redirects to the path `back_to` after the sign-in."""
        return see_other(f"{DONE}?next={quote(back_to, safe='')}")

    # The pages.

    async def page(self, request: Request) -> Response:
        """Show the form for user name and password. If the browser already has a session, continue with that session's
        next step of sign-in instead."""
        query: SignInQuery = request.query
        session = await self._sign_in.session(self.cookies.session.read(request.headers))
        if session is not None:
            return await self._onward(session, query.next, request)
        return await self._form(request, _FormView(query.next, query.lang))

    async def sign_in(self, request: Request) -> Response:
        form: SignInForm = request.body
        check_form(request.headers, self._base, self.cookies.visit.read(request.headers), form.form_token)
        browser = self.cookies.browser.read(request.headers)
        try:
            signed_in = await self._sign_in.attempt(
                form.username, form.password, address_class(request.address), browser, request.trace
            )
        except SignInRefused as error:
            view = _FormView(form.next, form.lang, "sign_in.refused", error.status)
            return await self._form(request, view, form.username)
        except SignInBusy as error:
            return await self._form(
                request, _FormView(form.next, form.lang, "sign_in.busy", error.status), form.username
            )
        except SignInThrottled as error:
            view = _FormView(form.next, form.lang, "sign_in.throttled", error.status, error.wait_s)
            return await self._form(request, view, form.username)
        cookies = [
            self.cookies.session.set(signed_in.secret),
            self.cookies.browser.set(signed_in.browser),
            self.cookies.visit.drop(),
        ]
        stage = self._sign_in.stage(signed_in.session)
        return see_other(_address_of(stage, form.next, form.lang), cookies)

    async def second_factor_page(self, request: Request) -> Response:
        query: CodeQuery = request.query
        session = await self._at(Stage.CODE, request)
        if session is None:
            return _moved(query.next)
        return await self._code(request, _FormView(query.next, query.lang), query.recovery)

    async def second_factor(self, request: Request) -> Response:
        form: CodeForm = request.body
        session = await self._at(Stage.CODE, request)
        if session is None:
            return _moved(form.next)
        self.check_form(request, form.form_token)
        try:
            fresh = await self._sign_in.give_code(session, form.code, request.trace)
        except CodeRefused as error:
            view = _FormView(form.next, form.lang, "code.refused", error.status)
            return await self._code(request, view, form.recovery)
        except SignInThrottled as error:
            view = _FormView(form.next, form.lang, "sign_in.throttled", error.status, error.wait_s)
            return await self._code(request, view, form.recovery)
        return see_other(form.next or DONE, [self.cookies.session.set(fresh)])

    async def set_up_page(self, request: Request) -> Response:
        query: SignInQuery = request.query
        session = await self._at(Stage.SET_UP, request)
        if session is None:
            return _moved(query.next)
        return await self._key(request, _FormView(query.next, query.lang), session, second_factor.new_secret())

    async def set_up(self, request: Request) -> Response:
        """Handle the form that sets up a second factor: verify the code, store the second factor, and show the recovery
        codes."""
        form: SetUpForm = request.body
        session = await self._at(Stage.SET_UP, request)
        if session is None:
            return _moved(form.next)
        self.check_form(request, form.form_token)
        if not second_factor.is_secret(form.key):
            return await self._key(request, _FormView(form.next, form.lang), session, second_factor.new_secret())
        try:
            made = await self._sign_in.set_up(session, form.key, form.code, request.trace)
        except CodeRefused as error:
            return await self._key(
                request, _FormView(form.next, form.lang, "code.refused", error.status), session, form.key
            )
        language = language_of(request.headers, form.lang)
        cookies = [self.cookies.session.set(made.secret)]
        return show_recovery_codes(made.recovery_codes, language, form.next or DONE, cookies)

    async def sign_out(self, request: Request) -> Response:
        form: SignOutForm = request.body
        secret = self.cookies.session.read(request.headers)
        if secret is not None:
            self.check_form(request, form.form_token)
            await self._sign_in.end(secret)
        language, gone = language_of(request.headers, form.lang), [self.cookies.session.drop()]
        if form.next:
            return see_other(_address_of(None, form.next, form.lang), gone)
        return PAGES.respond("signed_out.html", language, cookies=gone)

    # Shared by the pages.

    async def _at(self, stage: Stage, request: Request) -> Session | None:
        """Return the session of the request if the session's next step of sign-in is `stage`, otherwise None."""
        session = await self._sign_in.session(self.cookies.session.read(request.headers))
        return session if session is not None and self._sign_in.stage(session) is stage else None

    async def _onward(self, session: Session, onward: str, request: Request) -> Response:
        """Redirect to the session's next step of sign-in. After the last step redirect to the path `onward` or, if
        `onward` is empty, show that the user is signed in."""
        query: SignInQuery = request.query
        stage = self._sign_in.stage(session)
        if stage is not Stage.COMPLETE or onward:
            return see_other(_address_of(stage, onward, query.lang))
        user = session.user
        return PAGES.respond(
            "signed_in.html",
            language_of(request.headers, query.lang),
            username=user.username,
            administers=Role.ADMINISTRATOR in user.roles,
            recovery_left=await self._users.recovery_codes_left(user) if user.has_second_factor else None,
            form_token=self.form_token(request.headers),
        )

    async def _form(self, request: Request, view: _FormView, username: str = "") -> Response:
        visit = self.cookies.visit.read(request.headers)
        fresh = visit or new_secret()
        cookies = () if visit else (self.cookies.visit.set(fresh),)
        return await self._shown("sign_in.html", request, view, cookies, username=username, form_token=token_of(fresh))

    async def _code(self, request: Request, view: _FormView, recovery: bool) -> Response:
        """Render the page for the second factor. `recovery`: the form is for a recovery code, which has letters and so
        needs another keyboard than the six digits."""
        other = {"next": view.onward, "lang": view.lang, "recovery": None if recovery else "true"}
        token = self.form_token(request.headers)
        return await self._shown(
            "second_factor.html",
            request,
            view,
            recovery=recovery,
            other=urlencode({name: value for name, value in other.items() if value}),
            form_token=token,
        )

    async def _key(self, request: Request, view: _FormView, session: Session, key: str) -> Response:
        picture = second_factor.picture_of(key, session.user.username)
        token = self.form_token(request.headers)
        address = second_factor.address_of(key, session.user.username)
        return await self._shown(
            "set_up.html", request, view, key=key, picture=picture, address=address, form_token=token
        )

    async def _shown(
        self, template: str, request: Request, view: _FormView, cookies: Sequence[str] = (), **facts: Any
    ) -> Response:
        language = language_of(request.headers, view.lang)
        return PAGES.respond(
            template,
            language,
            status=view.status,
            form_to=await self._leads_to(view.onward),
            cookies=cookies,
            headers={"Retry-After": str(view.wait_s)} if view.wait_s else {},
            said=view.key and PAGES.text(view.key, language, wait_s=view.wait_s),
            next=view.onward,
            languages={each.value: urlencode({"next": view.onward, "lang": each.value}) for each in Language},
            **facts,
        )


def show_recovery_codes(codes: Sequence[str], language: Language, onward: str, cookies: Sequence[str] = ()) -> Response:
    """Render the page with new recovery codes. No other page shows them. `onward`: the path of the next page."""
    return PAGES.respond("new_recovery_codes.html", language, cookies=cookies, scripted=True, codes=codes, next=onward)


def _moved(onward: str) -> Response:
    """Redirect to the sign-in page, which redirects to the session's next step of sign-in. `onward`: the path to open
    after sign-in."""
    return see_other(f"{DONE}?{urlencode({'next': onward})}" if onward else DONE)


def _address_of(stage: Stage | None, onward: str, lang: str | None) -> str:
    """Return the address of a stage's page (None: the sign-in page). `onward`: the path to open after sign-in."""
    if stage is Stage.COMPLETE:
        return onward or DONE
    given = {name: value for name, value in (("next", onward), ("lang", lang)) if value}
    return f"{_STAGES[stage]}?{urlencode(given)}" if given else _STAGES[stage]
