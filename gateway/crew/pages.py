"""Rendering of the crew's pages, each in the language of its tablet and with the session that it is for."""

from pathlib import Path

import jinja2
from aiohttp import web

from gateway.crew.access import ACCESS_OF_ROLE
from gateway.crew.languages import COOKIE as LANGUAGE_COOKIE
from gateway.crew.languages import LANGUAGES, Language, choose_language, language
from gateway.crew.request_checks import cookie
from gateway.crew.routes import SESSION
from protocols.epcr.handover.page import TEMPLATES as HANDOVER_TEMPLATES

_TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Renders the templates for one vehicle. `lock_after_s`: seconds without use after which a page locks itself."""

    def __init__(self, vehicle: str, lock_after_s: float) -> None:
        self._vehicle = vehicle
        self._lock_after_s = lock_after_s
        self._templates = jinja2.Environment(
            loader=jinja2.ChoiceLoader((jinja2.FileSystemLoader(_TEMPLATES), HANDOVER_TEMPLATES)), autoescape=True
        )

    def render_alike(self, template: str) -> str:
        """Render a page that is the same for every tablet: in the default language, without a session and its rights.
        Its script changes the language."""
        text = language(next(iter(LANGUAGES))).text
        return self._templates.get_template(template).render(
            vehicle=self._vehicle, text=text, languages=LANGUAGES, accesses=frozenset()
        )

    def render(self, request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
        """Render a page in the language of the request. Templates have `text(key)` and `language`, the code; `member`
        (None: no member has signed in) and `accesses`."""
        words = language_of(request)
        session = request.get(SESSION)
        member = session.member.member if session is not None and session.member is not None else None
        text = self._templates.get_template(template).render(
            vehicle=self._vehicle,
            text=words.text,
            language=words.code,
            languages=LANGUAGES,
            member=member,
            accesses=frozenset() if member is None else ACCESS_OF_ROLE[member.role],
            lock_after_s=self._lock_after_s,
            **values,
        )
        return web.Response(text=text, status=status, content_type="text/html")


def language_of(request: web.Request) -> Language:
    """Return the language of the page that a request gets."""
    return choose_language(cookie(request, LANGUAGE_COOKIE), request.headers.get("Accept-Language", ""))
