"""The page on which a signed-in user, administrator or not, changes the password."""

from typing import Any

from cloud.access.identity.errors import PasswordUnfit, SignInBusy, SignInRefused, SignInThrottled
from cloud.access.identity.handlers import SignInHandlers
from cloud.access.identity.schemas import PasswordForm, SignInQuery
from cloud.access.identity.sessions import Session
from cloud.access.identity.sign_in import SignIn
from cloud.foundation.http import Request, Response

PATH = "/sign-in/password"


class PasswordHandlers:
    """Handlers of the page on which a user changes the password."""

    def __init__(self, sign_in: SignIn, people: SignInHandlers) -> None:
        self._sign_in = sign_in
        self._people = people

    async def page(self, request: Request) -> Response:
        query: SignInQuery = request.query
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        return self._shown(request, session, query.lang)

    async def change(self, request: Request) -> Response:
        form: PasswordForm = request.body
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        self._people.check_form(request, form.form_token)
        if form.wanted != form.again:
            return self._shown(request, session, form.lang, key="password.unlike", status=422)
        try:
            await self._sign_in.change_password(session, form.present, form.wanted, request.trace)
        except (SignInRefused, PasswordUnfit, SignInBusy, SignInThrottled) as error:
            return self._shown(request, session, form.lang, error=error)
        return self._shown(request, session, form.lang, done=True)

    def _shown(
        self, request: Request, session: Session, lang: str | None, *, done: bool = False, **refusal: Any
    ) -> Response:
        name = session.user.username
        return self._people.account_page("password.html", request, lang, done=done, username=name, **refusal)
