"""The page on which a signed-in user replaces the authenticator app, for instance after the loss of the phone."""

from cloud.access.identity import second_factor
from cloud.access.identity.errors import CodeRefused, SignInThrottled
from cloud.access.identity.handlers import DONE, SignInHandlers, show_recovery_codes
from cloud.access.identity.schemas import AuthenticatorForm, SignInQuery
from cloud.access.identity.sessions import Session
from cloud.access.identity.sign_in import SignIn
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Request, Response
from cloud.foundation.pages import language_of, see_other

PATH = "/sign-in/authenticator"


class AuthenticatorHandlers:
    """Handlers for replacing the authenticator app. Only users with a second factor can open the page."""

    def __init__(self, sign_in: SignIn, people: SignInHandlers) -> None:
        self._sign_in = sign_in
        self._people = people

    async def page(self, request: Request) -> Response:
        query: SignInQuery = request.query
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        if not session.user.has_second_factor:
            return see_other(DONE)
        return self._shown(request, session, query.lang, second_factor.new_secret())

    async def replace(self, request: Request) -> Response:
        """Replace the second factor and show the new recovery codes."""
        form: AuthenticatorForm = request.body
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        self._people.check_form(request, form.form_token)
        if not second_factor.is_secret(form.key):
            return self._shown(request, session, form.lang, second_factor.new_secret())
        try:
            made = await self._sign_in.replace_authenticator(session, form.current, form.key, form.code, request.trace)
        except (CodeRefused, SignInThrottled) as error:
            return self._shown(request, session, form.lang, form.key, error)
        cookies = [self._people.cookies.session.set(made.secret)]
        return show_recovery_codes(made.recovery_codes, language_of(request.headers, form.lang), DONE, cookies)

    def _shown(
        self, request: Request, session: Session, lang: str | None, secret: str, error: DomainError | None = None
    ) -> Response:
        name = session.user.username
        return self._people.account_page(
            "authenticator.html",
            request,
            lang,
            error=error,
            secret=secret,
            picture=second_factor.picture_of(secret, name),
            address=second_factor.address_of(secret, name),
        )
