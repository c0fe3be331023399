"""Render HTML templates as responses, with a Content-Security-Policy.

The policy allows our own stylesheet, and forms to the same host. Browsers apply the policy also to a redirect after a
form, so a page whose form leads to another host, such as the consent page, names that host in `form_to`.
"""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, select_autoescape
from multidict import CIMultiDictProxy

from cloud.foundation.errors import DomainError
from cloud.foundation.http import Response, headers_of, title
from cloud.foundation.pages.assets import COPY_SCRIPT, MARK, STYLESHEET
from cloud.foundation.pages.cookies import with_cookies
from cloud.foundation.pages.language import Language, Words, language_of, translate
from cloud.foundation.pages.words import WORDS

_HERE = Path(__file__).parent / "templates"


@cache
def _environment_of(folder: Path) -> Environment:
    """Return the templates of a slice and the common ones. A process compiles each template once, at its first use."""
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(_HERE)]),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Pages:
    """The pages of one slice: its own templates and texts, and those that all pages share."""

    def __init__(self, folder: Path, words: Words) -> None:
        self._words = {**WORDS, **words}
        self._environment = _environment_of(folder)

    def respond(
        self,
        template: str,
        language: Language,
        *,
        status: int = 200,
        form_to: Sequence[str] = (),
        cookies: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        scripted: bool = False,
        **facts: object,
    ) -> Response:
        """Return a rendered page. `facts` are the values for the template. `form_to` are addresses on other hosts to
        which a form of the page may lead. `scripted` allows our own script on the page."""
        html = self._environment.get_template(template).render(
            facts,
            say=partial(translate, self._words, language),
            language=language.value,
            stylesheet=STYLESHEET.path,
            mark=MARK.path,
            script=COPY_SCRIPT.path,
        )
        own = with_cookies(cookies, headers)
        own["Content-Security-Policy"] = _policy(form_to) + ("; script-src 'self'" if scripted else "")
        # Under no-referrer a browser sends the origin of our own forms as null (Fetch §3.2), like that of a foreign
        # page.
        own["Referrer-Policy"] = "same-origin"
        own["Content-Language"] = language.value
        own["Vary"] = "Accept-Language, Cookie"
        return Response(status, html.encode(), "text/html; charset=utf-8", headers=own)

    def text(self, key: str, language: Language, **facts: object) -> str:
        """Return the text identified by `key` in this language, with `facts` filled in."""
        return translate(self._words, language, key, **facts)

    def refusal(self, error: DomainError, headers: CIMultiDictProxy[str]) -> Response:
        """Return the page for an error, which shows the error's sentence and code."""
        return self.respond(
            "refusal.html",
            language_of(headers),
            status=error.status,
            headers=headers_of(error),
            heading=title(error.code),
            sentence=error.sentence,
            code=error.code,
        )


def see_other(address: str, cookies: Sequence[str] = ()) -> Response:
    """Return a 303 redirect (RFC 9110 §15.4.4) to a path of this host, or to an address that the caller has checked."""
    return Response(303, headers=with_cookies(cookies, {"Location": address}))


def origin_of(address: str) -> str:
    """Return the scheme, host and port of an address, in the form of a Content-Security-Policy."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _policy(form_to: Sequence[str]) -> str:
    targets = " ".join(["'self'", *(origin_of(address) for address in form_to)])
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action {targets}; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
