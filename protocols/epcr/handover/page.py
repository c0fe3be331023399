"""HTML page of a hand-over: the accessible form, for the hospital's reader, for the crew, as a file, and by share link.

The first screen has the items with their brief facts; below it are all facts, the trend, the vital signs and the ECG.
Texts and drawings are those of the PDF and of the bundle. The vehicle and the cloud render the same templates, so that
a reader of either sees the same words. The templates and the style are files of this package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as files_of
from typing import Final

import jinja2
from markupsafe import Markup

from protocols.epcr.handover.content import HandoverContent
from protocols.epcr.handover.drawing import svg
from protocols.epcr.handover.drawings import ecg_sheet, trend_plot
from protocols.epcr.handover.ecg import Ecg
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.readings import SIGN_NAMES, Reading, Sign
from protocols.epcr.handover.wording import Wording

TEMPLATES: Final = jinja2.PackageLoader("protocols.epcr.handover")
"""Templates of the page, which pages of the crew include too."""
STYLE: Final = (files_of("protocols.epcr.handover") / "templates" / "handover.css").read_text(encoding="utf-8")
_ENVIRONMENT = jinja2.Environment(loader=TEMPLATES, autoescape=True, undefined=jinja2.StrictUndefined)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownHandover:
    """The content of the page of a hand-over. `readings` are those of the crew and of the devices, oldest first."""

    encounter: str
    wording: Wording
    content: HandoverContent
    readings: Sequence[Reading]
    ecg: Ecg | None


def handover_page(shown: ShownHandover, *, stylesheet_url: str = "", files: str = "") -> str:
    """Return the page of a hand-over. Without `stylesheet_url` the page has its style inside, as a file needs it.
    `files`: the address below which the PDF and the bundle are; empty: the page has no links."""
    style = "" if stylesheet_url else Markup(STYLE)  # noqa: S704  our own file, without values
    return _ENVIRONMENT.get_template("handover_page.html").render(
        **page_values(shown, files), stylesheet_url=stylesheet_url, style=style, actions=""
    )


def handover_part(shown: ShownHandover) -> str:
    """Return the content of the page without its frame and without links, to be put into another page."""
    return _ENVIRONMENT.get_template("handover_content.html").render(**page_values(shown, ""), actions="")


def page_values(shown: ShownHandover, files: str) -> Mapping[str, object]:
    """Return the values of the template `handover_content.html`."""
    language = shown.wording.language
    ecg, trend = ecg_sheet(shown.ecg, shown.wording, shown.content.state), trend_plot(shown.readings, shown.wording)
    return {
        "lang": language.value,
        "content": shown.content,
        "handed_over": shown.encounter,
        "orders": {order: order is shown.content.order for order in Order},
        # A drawing escapes its texts.
        "ecg": None if ecg is None else Markup(svg(ecg)),  # noqa: S704
        "trend": None if trend is None else Markup(svg(trend)),  # noqa: S704
        "signatures": [
            (one.caption, None if (drawn := one.drawing()) is None else Markup(svg(drawn)))  # noqa: S704
            for one in shown.content.signatures
        ],
        "table": vitals_table(shown.content, shown.wording),
        "phrases": {name: words.of(language) for name, words in PHRASES.items()},
        "files": files,
    }


def vitals_table(content: HandoverContent, wording: Wording) -> Sequence[Sequence[str]]:
    """Return the crew's sets of vital signs as rows of texts, the first with the names; empty without a set."""
    rows = content.vitals
    signs = [sign for sign in Sign if any(sign in row.texts for row in rows)]
    if not signs:
        return ()
    head = [wording.words(PHRASES["time"]), *(wording.words(SIGN_NAMES[sign]) for sign in signs)]
    return [head, *([row.time, *(row.texts.get(sign, "–") for sign in signs)] for row in rows)]
