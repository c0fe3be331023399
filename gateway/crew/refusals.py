"""Refusals of a request that a person sees: a page in the language of the tablet, with a link to continue.

A browser that opens an address would otherwise show a line of English text without a way back. Requests of scripts and
of other clients get the text: only the opening of a page accepts HTML. `Sec-Fetch-Dest` does not distinguish them,
since the page's service worker makes the request again as one without a destination.
"""

from aiohttp import web

from gateway.crew.pages import Pages, language_of

_STATUSES = frozenset((401, 403, 404, 409, 429, 503))
"""Statuses with a sentence of their own in the files of languages. The others end the connection, or have no person."""


def explained(request: web.Request, refusal: type[web.HTTPError], key: str) -> web.HTTPError:
    """Return a refusal whose text is in the language of the tablet; `Content-Language` states that it is."""
    words = language_of(request)
    return refusal(text=f"{words.text(key)}\n", headers={"Content-Language": words.code})


def refusal_page(pages: Pages, request: web.Request, refusal: web.HTTPException) -> web.Response | None:
    """Return the page of a refusal, or None where no person sees it."""
    if refusal.status not in _STATUSES or "text/html" not in request.headers.get("Accept", ""):
        return None
    sentence = language_of(request).text(f"page.problem.status_{refusal.status}")
    if "Content-Language" in refusal.headers and refusal.text:
        sentence = refusal.text
    page = pages.render(request, "problem.html", refusal.status, sentence=sentence.strip())
    if (wait := refusal.headers.get("Retry-After")) is not None:
        page.headers["Retry-After"] = wait
    return page
