"""The page with the number of unused recovery codes, on which a signed-in user can replace the codes."""

from cloud.access.identity.errors import CodeRefused, SignInThrottled
from cloud.access.identity.handlers import DONE, SignInHandlers, show_recovery_codes
from cloud.access.identity.schemas import CodeForm, SignInQuery
from cloud.access.identity.service import Users
from cloud.access.identity.sessions import Session
from cloud.access.identity.sign_in import SignIn
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Request, Response
from cloud.foundation.pages import language_of, see_other

PATH = "/sign-in/recovery-codes"


class RecoveryCodeHandlers:
    """Handlers of the page of recovery codes. Only users with a second factor can open the page."""

    def __init__(self, sign_in: SignIn, users: Users, people: SignInHandlers) -> None:
        self._sign_in = sign_in
        self._users = users
        self._people = people

    async def page(self, request: Request) -> Response:
        query: SignInQuery = request.query
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        if not session.user.has_second_factor:
            return see_other(DONE)
        return await self._shown(request, session, query.lang)

    async def replace(self, request: Request) -> Response:
        form: CodeForm = request.body
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        self._people.check_form(request, form.form_token)
        try:
            codes = await self._sign_in.replace_recovery_codes(session, form.code, request.trace)
        except (CodeRefused, SignInThrottled) as error:
            return await self._shown(request, session, form.lang, error)
        return show_recovery_codes(codes, language_of(request.headers, form.lang), DONE)

    async def _shown(
        self, request: Request, session: Session, lang: str | None, error: DomainError | None = None
    ) -> Response:
        left = await self._users.recovery_codes_left(session.user)
        return self._people.account_page("recovery_codes.html", request, lang, error=error, left=left)
