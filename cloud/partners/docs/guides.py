"""The guides: Markdown files in two languages, rendered as HTML.

`guides/{language}/{name}.md` is the source. Links between guides are written as in a repository
(`webhooks.md#receive`), and links to an operation as `operation:enqueueJob`; both become addresses of pages. The
addresses of the example domain become those of this installation.

markdown-it-py renders them: a CommonMark parser in Python with types, kept up, without dependencies but its own URL
module, and present already, since rich needs it. HTML in a guide is not passed through.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from cloud.foundation.http import Bases, Host
from cloud.foundation.pages import Language
from cloud.partners.docs import verification_page

_FOLDER = Path(__file__).parent / "guides"
GUIDES = (
    "first-call",
    "sign-in",
    "errors",
    "idempotency",
    "rate-limits",
    "observations",
    "webhooks",
    "fhir",
    "jobs",
    "provenance",
    "graphql",
    "on-request",
    "changelog",
)
"""The names of the guides, in the order of the navigation."""

Address = Callable[[str], str]
"""Returns the address of a page for the target of a link: a guide's file name, or `operation:ID`."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide. `about` is its first paragraph as plain text without a colon at the end, `html` everything after the
    title."""

    name: str
    title: str
    about: str
    html: str
    text: str


def read_guide(name: str, language: Language, bases: Bases, address: Address) -> Guide:
    """Read and render a guide."""
    source = (_FOLDER / language.value / f"{name}.md").read_text()
    for host in Host:
        source = source.replace(f"https://{host.value}.example.org", bases[host])
    source = source.replace("SHA256_OF_THE_VERIFICATION_PAGE", verification_page.SHA256)
    renderer = markdown()
    tokens = renderer.parse(source)
    title, rest = tokens[1].content, tokens[3:]
    for token, following in zip(rest, [*rest[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrSet("id", anchor_of(following.content))
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", _target(str(child.attrGet("href")), address))
    paragraphs = (inline.content for opened, inline in pairwise(rest) if opened.type == "paragraph_open")
    about = plain(next(paragraphs)).removesuffix(":")
    text = " ".join(token.content for token in rest if token.type in ("inline", "fence", "code_block"))
    return Guide(name, title, about, renderer.renderer.render(rest, renderer.options, {}), text)


def markdown() -> MarkdownIt:
    """Return the renderer of guides and of the texts of the OpenAPI document."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("table_open", lambda *_: '<div class="wide" tabindex="0"><table>\n')
    renderer.add_render_rule("table_close", lambda *_: "</table></div>\n")
    renderer.add_render_rule("fence", _fence)
    return renderer


def _fence(_self: object, tokens: Sequence[Token], at: int, *_: object) -> str:
    """Render a code block. It can scroll, so the keyboard must reach it."""
    language = tokens[at].info.partition(" ")[0]
    return f'<pre tabindex="0"><code class="{escape(language)}">{escape(tokens[at].content)}</code></pre>\n'


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives a heading: lower case, without punctuation, with hyphens for spaces."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def plain(text: str) -> str:
    """Return Markdown of a paragraph as plain text."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("**", "").replace("\n", " ")


def _target(link: str, address: Address) -> str:
    if link.startswith("operation:") or re.fullmatch(r"[a-z-]+\.md(#.*)?", link):
        file, _, anchor = link.partition("#")
        return address(file.removesuffix(".md")) + (f"#{anchor}" if anchor else "")
    return link
