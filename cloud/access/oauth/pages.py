"""Handlers of the authorization endpoint and the consent page (contract C-053…C-058; security requirements
S-001…S-017). The consent form contains the authorization request, which is checked again when the form is submitted.
The server stores nothing between the two, so no other request can replace the authorization request.
"""

from pathlib import Path
from urllib.parse import urlencode, urlsplit

from multidict import CIMultiDictProxy

from cloud.access.identity import Session, SignInHandlers
from cloud.access.oauth.authorization import NoRedirect, Pairs, Redirected, Target
from cloud.access.oauth.consent import AUTHORIZE, Authorization, Question
from cloud.access.oauth.schemas import ConsentForm
from cloud.access.oauth.words import WORDS
from cloud.foundation.errors import DomainError
from cloud.foundation.http import QueryMalformed, Request, Response, read_all_pairs
from cloud.foundation.pages import Pages, language_of

PAGES = Pages(Path(__file__).parent / "templates", WORDS)


class AuthorizationHandlers:
    """Handlers of the authorization endpoint and the consent page. `issuer`: the public address of the auth host."""

    def __init__(self, authorization: Authorization, people: SignInHandlers, issuer: str) -> None:
        self._authorization = authorization
        self._people = people
        self._issuer = issuer

    async def authorize(self, request: Request) -> Response:
        """Redirect to the sign-in, show the consent page, or redirect to the app with a code."""
        pairs: Pairs = request.query
        target = await self._authorization.target(pairs)
        try:
            session = await self._people.session(request)
            if session is None:
                self._authorization.check(pairs, target)
                return self._people.lead_here(f"{AUTHORIZE}?{urlencode(pairs)}")
            question = await self._authorization.question(session, pairs, target)
            if question is not None:
                return self._show_consent(request, session, pairs, target, question)
            code = await self._authorization.allow(session, pairs, target, request.trace, asked=False)
        except Redirected as error:
            return self._back(target, error)
        return Response(302, headers={"Location": target.address(self._issuer, code=code)})

    async def decide(self, request: Request) -> Response:
        """Redirect to the app with a code, or with an error if the user has refused."""
        form: ConsentForm = request.body
        self._people.check_form(request, form.form_token)
        try:
            pairs = read_all_pairs(form.request)
        except QueryMalformed:
            raise NoRedirect from None
        target = await self._authorization.target(pairs)
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(f"{AUTHORIZE}?{urlencode(pairs)}")
        try:
            if form.decision != "allow":
                await self._authorization.deny(session, target, request.trace)
                raise Redirected("access_denied", "Access was refused.")
            code = await self._authorization.allow(session, pairs, target, request.trace, asked=True)
        except Redirected as error:
            return self._back(target, error)
        return Response(303, headers={"Location": target.address(self._issuer, code=code)})

    def _back(self, target: Target, error: Redirected) -> Response:
        parameters = {"error": error.error, "error_description": error.description}
        return Response(302, headers={"Location": target.address(self._issuer, **parameters)})

    def _show_consent(
        self, request: Request, session: Session, pairs: Pairs, target: Target, question: Question
    ) -> Response:
        asked = urlencode(pairs)
        return PAGES.respond(
            "consent.html",
            language_of(request.headers, dict(pairs).get("ui_locales", "").partition(" ")[0]),
            form_to=[target.redirect_uri],
            app=target.app.name,
            organization=question.organization,
            scopes=question.scopes,
            username=session.user.username,
            host=urlsplit(target.redirect_uri).netloc,
            form_token=self._people.form_token(request.headers),
            request=asked,
            back=f"{AUTHORIZE}?{asked}",
        )


def refusal(error: DomainError, headers: CIMultiDictProxy[str]) -> Response:
    """Return the page that explains an error after which no redirect is allowed."""
    if isinstance(error, NoRedirect):
        return PAGES.respond("unusable.html", language_of(headers), status=error.status)
    return PAGES.refusal(error, headers)
