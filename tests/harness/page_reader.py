"""A client of the cloud's HTML pages without a browser: it keeps cookies, reads forms, and follows redirects when a
test calls for it.

The hosts have https names (`auth_world.BASES`) but are served on loopback without TLS, where a browser would not send
`__Host-` cookies. Tests with real browsers are in `tests/journeys`; this module is for tests of forms and redirects.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlsplit

from tests.builders.auth_world import ISSUER
from tests.harness.auth_server import AuthServer, ReadResponse

PASSWORD = "correct horse battery"


@dataclass
class Form:
    """A form of a page. `fields` maps each field's name to the value that the form sends when nothing is changed."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


_BLOCKS = frozenset({"dt", "dd", "td", "th", "li", "h1", "h2"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.text = ""
        self.links: list[str] = []
        self.told: dict[str, str] = {}
        self._open: Form | None = None
        self._writes = ""  # the name of the text field that is open
        self._tells = ""  # the label of the open text that is shown for copying
        self._chooses = ""  # the name of the selection that is open
        self._labels: str | None = None  # what the open label is for
        self._label_texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("method", "get"), given["action"])
            self.forms.append(self._open)
        elif tag == "label":
            self._labels = given.get("for")
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "input" and "readonly" in given:
            self.told[self._label_texts[given["id"]]] = given["value"]
        elif tag == "textarea" and "readonly" in given:
            self._tells = self._label_texts[given["id"]]
            self.told[self._tells] = ""
        elif self._open is not None:
            self._field(self._open.fields, tag, given)

    def _field(self, fields: dict[str, str], tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "input" and name:
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                fields[name] = given.get("value", "")
        elif tag == "textarea":
            self._writes = name
            fields[name] = ""
        elif tag == "select":
            self._chooses = name
        elif tag == "option" and ("selected" in given or self._chooses not in fields):
            fields[self._chooses] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "textarea":
            self._writes = self._tells = ""
        elif tag == "label":
            self._labels = None
        elif tag in _BLOCKS:
            self.text += " "

    def handle_data(self, data: str) -> None:
        if self._writes and self._open is not None:
            self._open.fields[self._writes] += data
            return
        if self._tells:
            self.told[self._tells] += data
            return
        if self._labels is not None:
            self._label_texts[self._labels] = data.strip()
        self.text += data


def read_page(html: str) -> tuple[str, list[Form]]:
    """Return the text of an HTML page, and its forms."""
    reader = _Reader()
    reader.feed(html)
    return " ".join(reader.text.split()), reader.forms


@dataclass(frozen=True)
class Page:
    """A response parsed as a page: its text, forms and links."""

    answered: ReadResponse
    text: str
    forms: list[Form]
    links: list[str]
    told: dict[str, str]
    """The texts shown for copying, by label."""

    @property
    def status(self) -> int:
        return self.answered.status

    @property
    def location(self) -> str:
        """Return the Location header of a redirect."""
        return str(self.answered.headers["Location"])

    def form(self, action: str) -> Form:
        """Return the only form with this action path."""
        (found,) = [form for form in self.forms if form.action == action]
        return found


class PageReader:
    """One person's browser session: the cookies, and the preferred language."""

    def __init__(self, server: AuthServer, language: str = "en") -> None:
        self._server = server
        self._language = language
        self.cookies: dict[str, str] = {}

    async def get(self, target: str, **headers: str) -> Page:
        """Get one page, without following a redirect."""
        return await self._request("GET", target, headers)

    async def submit(self, form: Form, origin: str | None = ISSUER, **fields: str) -> Page:
        """Send a form with changed or added `fields`. `origin` is the Origin header; None omits the header."""
        headers = {} if origin is None else {"Origin": origin}
        return await self._request("POST", form.action, headers, data={**form.fields, **fields})

    async def fill(self, form: Form, **fields: str | None) -> Page:
        """Send a form with changed or added `fields`; the value None omits a field, as an unticked checkbox does."""
        sent = {name: value for name, value in {**form.fields, **fields}.items() if value is not None}
        return await self.submit(Form(form.method, form.action, sent))

    async def follow(self, page: Page) -> Page:
        """Check that the response is a redirect; get the page that it leads to."""
        assert page.status in (302, 303), page.text
        return await self.get(page.location)

    async def sign_in(self, username: str = "ada@example.org", *, password: str = PASSWORD, after: str = "") -> Page:
        """Submit the sign-in form and return the response. `after` is the path of the page to show after signing in."""
        page = await self.get(f"/sign-in?next={quote(after, safe='')}")
        return await self.submit(page.form("/sign-in"), username=username, password=password)

    async def _request(self, method: str, target: str, headers: dict[str, str], **more: Any) -> Page:
        parts = urlsplit(target)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept-Language": self._language, "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        answered = await self._server.ask(method, path, headers={**sent, **headers}, allow_redirects=False, **more)
        for line in answered.headers.getall("Set-Cookie", ()):
            name, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        reader = _Reader()
        reader.feed(answered.octets.decode())
        return Page(answered, " ".join(reader.text.split()), reader.forms, reader.links, reader.told)
