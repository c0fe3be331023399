"""The page on which a signed-in user, administrator or not, changes the password."""

from cloud.access.identity.errors import PasswordUnfit, SignInBusy, SignInRefused, SignInThrottled
from cloud.access.identity.handlers import PAGES, SignInHandlers
from cloud.access.identity.schemas import PasswordForm, SignInQuery
from cloud.access.identity.sessions import Session
from cloud.access.identity.sign_in import SignIn
from cloud.foundation.http import Request, Response
from cloud.foundation.pages import language_of

PATH = "/sign-in/password"


class PasswordHandlers:
    """The password page of the auth host."""

    def __init__(self, sign_in: SignIn, people: SignInHandlers) -> None:
        self._sign_in = sign_in
        self._people = people

    async def page(self, request: Request) -> Response:
        """`GET /sign-in/password`."""
        query: SignInQuery = request.query
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        return self._shown(request, session, query.lang)

    async def change(self, request: Request) -> Response:
        """`POST /sign-in/password`."""
        form: PasswordForm = request.body
        session = await self._people.session(request)
        if session is None:
            return self._people.lead_here(PATH)
        self._people.check_form(request, form.form_token)
        if form.wanted != form.again:
            return self._shown(request, session, form.lang, "password.unlike", 422)
        try:
            await self._sign_in.change_password(session, form.present, form.wanted, request.trace)
        except SignInRefused as error:
            return self._shown(request, session, form.lang, "password.refused", error.status)
        except PasswordUnfit as error:
            return self._shown(request, session, form.lang, "password.unfit", error.status)
        except SignInBusy as error:
            return self._shown(request, session, form.lang, "sign_in.busy", error.status)
        except SignInThrottled as error:
            return self._shown(request, session, form.lang, "sign_in.throttled", error.status, error.wait_s)
        return self._shown(request, session, form.lang, done=True)

    def _shown(
        self,
        request: Request,
        session: Session,
        lang: str | None,
        key: str | None = None,
        status: int = 200,
        wait_s: int = 0,
        *,
        done: bool = False,
    ) -> Response:
        language = language_of(request.headers, lang)
        return PAGES.respond(
            "password.html",
            language,
            status=status,
            headers={"Retry-After": str(wait_s)} if wait_s else {},
            said=key and PAGES.said(key, language, wait_s=wait_s),
            done=done,
            username=session.user.username,
            form_token=self._people.form_token(request.headers),
        )
