"""The pages of the documentation, rendered from the OpenAPI document and the guides in two languages.

The reference, the guides and the search indexes are made once in a process, and each page is rendered at its first
request; both in a thread, so that other requests are served meanwhile. After that a page is a look-up.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from cloud.foundation.http import Bases, Host, NotFound, slug, strong_etag
from cloud.foundation.pages import Language, translate
from cloud.partners.docs.guides import GUIDES, Guide, markdown, plain, read_guide
from cloud.partners.docs.on_request import AREAS
from cloud.partners.docs.reference import Operation, Reference, read_reference
from cloud.partners.docs.samples import FORM, HEADERS, LANGUAGES, OPTIONAL_HEADERS, Sample, Slot, text_of
from cloud.partners.docs.search import Entry, SearchIndex
from cloud.partners.docs.words import WORDS

_TEMPLATES = Path(__file__).parent / "templates"
STYLE = Markup((_TEMPLATES / "docs.css").read_text())  # noqa: S704  our own file
SCRIPT = Markup((_TEMPLATES / "docs.js").read_text())  # noqa: S704  our own file


def _hash_source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


POLICY: Final = (
    f"default-src 'none'; style-src {_hash_source(STYLE)}; script-src {_hash_source(SCRIPT)}; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: our own style and script, which are in the page, and requests of the search."""
_RENDERER = markdown()


def _marked(sample: Sample) -> Markup:
    """Return a sample as HTML, with each slot in an element of its own."""
    parts = (
        Markup('<span data-slot="{}">{}</span>').format(part.name, part.text) if isinstance(part, Slot) else part
        for part in sample
    )
    return Markup("").join(parts)


def environment() -> Environment:
    """Return the templates with the filters of the documentation."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["pretty"] = lambda document: orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    made.filters["prose"] = lambda text: Markup(_RENDERER.render(text))  # noqa: S704  the renderer escapes HTML
    made.filters["line"] = lambda text: Markup(_RENDERER.renderInline(text))  # noqa: S704
    made.filters["slots"] = _marked
    made.filters["slug"] = slug
    return made


TEMPLATES = environment()
_OTHER = {Language.EN: Language.PL, Language.PL: Language.EN}


def render_document(template: str, language: Language, document: Mapping[str, Any], docs: str) -> bytes:
    """Return a document for programs as a page. `docs` is the address of the docs host, since some of these pages are
    on another host."""
    other = _OTHER[language]
    say = partial(translate, WORDS, language)
    page = TEMPLATES.get_template(template)
    return page.render(document, say=say, language=language.value, other=other.value, docs=docs, style=STYLE).encode()


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page."""

    html: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _Content:
    """The sources of the pages."""

    reference: Reference
    guides: Mapping[Language, Mapping[str, Guide]]
    indexes: Mapping[Language, SearchIndex]


class DocsSite:
    """The pages of one process. `document` returns the OpenAPI document as JSON."""

    def __init__(self, document: Callable[[], bytes], bases: Bases) -> None:
        self._document, self._bases = document, bases
        self._content: _Content | None = None
        self._pages: dict[tuple[Language, str, str], Page] = {}
        self._indexed: dict[str, Any] | None = None
        self._making = asyncio.Lock()

    async def page(self, language: Language, kind: str, name: str = "") -> Page:
        """Return a page. `kind` is `home`, `reference`, `operation` or `guide`; `name` is the id of the operation or
        the name of the guide. Raises `NotFound`."""
        found = self._pages.get((language, kind, name))
        if found is None:
            content = await self._made()
            if name and name not in (GUIDES if kind == "guide" else content.reference.operations):
                raise NotFound
            async with self._making:  # bounded by the number of pages: unknown names are refused before
                html = await asyncio.to_thread(self._render, content, language, kind, name)
            found = self._pages[language, kind, name] = Page(html, strong_etag(html))
        return found

    async def find(self, language: Language, query: str) -> list[Entry]:
        """Return the search results for a query."""
        return (await self._made()).indexes[language].find(query)

    async def results_page(self, language: Language, query: str) -> bytes:
        """Return the page of search results."""
        content = await self._made()
        found = content.indexes[language].find(query)
        return self._html(content, language, "search.html", "/docs/search", query=query, found=found)

    async def index(self) -> dict[str, Any]:
        """Return the operations, guides and on-request areas for programs."""
        if self._indexed is None:
            self._indexed = await asyncio.to_thread(self._index, await self._made())
        return self._indexed

    async def _made(self) -> _Content:
        if self._content is None:
            async with self._making:
                if self._content is None:
                    self._content = await asyncio.to_thread(self._read)
        return self._content

    def _read(self) -> _Content:
        reference = read_reference(orjson.loads(self._document()))
        guides = {
            language: {
                name: read_guide(name, language, self._bases, partial(self._address, reference, language))
                for name in GUIDES
            }
            for language in Language
        }
        return _Content(reference, guides, {one: _search_index(one, reference, guides[one]) for one in Language})

    def _address(self, reference: Reference, language: Language, target: str) -> str:
        """Return the address of a guide, or of an operation as `operation:ID`. Raises KeyError for an unknown one, so
        that a guide cannot name an operation that does not exist."""
        if target.startswith("operation:"):
            return operation_path(language, reference.operations[target.removeprefix("operation:")].id)
        if target not in GUIDES:
            raise KeyError(target)
        return guide_path(language, target)

    def _render(self, content: _Content, language: Language, kind: str, name: str) -> bytes:
        match kind:
            case "home":
                return self._html(content, language, "home.html", "/docs")
            case "reference":
                return self._html(content, language, "reference.html", "/docs/api-reference", areas=AREAS)
            case "operation":
                one = content.reference.operations[name]
                samples = [(each, each.write(one)) for each in LANGUAGES]
                composed = {"base": one.bases[0], "path": one.path, "form": FORM, "headers": _COMPOSED_HEADERS}
                path = f"/docs/api-reference/{name}"
                return self._html(
                    content, language, "operation.html", path, one=one, samples=samples, composed=composed
                )
        guide = content.guides[language][name]
        return self._html(content, language, "guide.html", f"/docs/guides/{name}", guide=guide)

    def _html(self, content: _Content, language: Language, template: str, path: str, **facts: object) -> bytes:
        other = _OTHER[language]
        page = TEMPLATES.get_template(template)
        return page.render(
            facts,
            say=partial(translate, WORDS, language),
            language=language.value,
            at=path,
            other=other.value,
            reference=content.reference,
            guides=content.guides[language].values(),
            hosts=self._bases,
            problems=f"{self._bases[Host.API]}/problems",
            style=STYLE,
            script=SCRIPT,
        ).encode()

    def _index(self, content: _Content) -> dict[str, Any]:
        docs, api = self._bases[Host.DOCS], self._bases[Host.API]
        return {
            "operations": [
                {
                    **{name: getattr(one, name) for name in _INDEXED},
                    "operation_id": one.id,
                    "urls": [base + one.path for base in one.bases],
                    "openapi": f"{api}/.well-known/openapi.json#{one.pointer}",
                    "pages": {each.value: docs + operation_path(each, one.id) for each in Language},
                    "samples": {each.id: text_of(each.write(one)) for each in LANGUAGES},
                }
                for one in content.reference.operations.values()
            ],
            "guides": [
                {
                    "name": name,
                    "titles": {each.value: content.guides[each][name].title for each in Language},
                    "pages": {each.value: docs + guide_path(each, name) for each in Language},
                }
                for name in GUIDES
            ],
            "on_request": [
                {
                    "title": area.title[0],
                    "description": area.about[0],
                    "audience": area.audience,
                    "stability": area.stability,
                }
                for area in AREAS
            ],
        }


_COMPOSED_HEADERS = {**HEADERS, **dict.fromkeys(OPTIONAL_HEADERS, "")}
"""Headers with a field in the form, and what the samples show for each without a value."""
_INDEXED = ("method", "path", "tag", "summary", "audience", "stability", "auth", "scopes", "added_in")


def operation_path(language: Language, operation_id: str) -> str:
    return f"/{language.value}/docs/api-reference/{operation_id}"


def guide_path(language: Language, name: str) -> str:
    return f"/{language.value}/docs/guides/{name}"


def _search_index(language: Language, reference: Reference, guides: Mapping[str, Guide]) -> SearchIndex:
    pages = [
        (Entry("guide", one.title, guide_path(language, one.name), one.about), one.text) for one in guides.values()
    ]
    for one in reference.operations.values():
        entry = Entry("operation", f"{one.method} {one.path}", operation_path(language, one.id), one.summary)
        pages.append((entry, _words_of_operation(one)))
    return SearchIndex(pages)


def _words_of_operation(one: Operation) -> str:
    replies = [*one.replies, *one.errors]
    fields = [*(one.body.fields if one.body else ()), *(field for reply in replies for field in reply.fields)]
    codes = [code for reply in one.errors for code in reply.codes]
    names = [*(each.name for each in one.parameters), *(field.name for field in fields), *one.scopes, *codes]
    return plain(
        " ".join([one.id, one.tag, one.summary, one.description, *(each.description for each in replies), *names])
    )
