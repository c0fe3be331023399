"""HTML page of a hand-over: the accessible form, for the hospital's reader, for the crew, and as a file.

The first screen has the items with their brief facts; below it are all facts, the trend, the vital signs and the ECG.
Texts and drawings are those of the PDF and of the bundle.
"""

from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup

from gateway.epcr.handover.drawing import svg
from gateway.epcr.handover.drawings import ecg_sheet, trend_plot
from gateway.epcr.handover.handovers import Handover
from gateway.epcr.handover.pdf import vitals_table
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.handover.order import Order

TEMPLATES = Path(__file__).parent / "templates"
STYLESHEET = TEMPLATES / "handover.css"
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
)


def handover_page(handover: Handover, *, stylesheet_url: str = "", files: str = "") -> str:
    """Return the page of a hand-over. Without `stylesheet_url` the page has its style inside, as a file needs it.
    `files`: the address below which the PDF and the bundle are; empty: the page has no links."""
    # The style is our own file, without values.
    style = "" if stylesheet_url else Markup(STYLESHEET.read_text(encoding="utf-8"))  # noqa: S704
    return _ENVIRONMENT.get_template("handover_page.html").render(
        **page_values(handover, files), stylesheet_url=stylesheet_url, style=style, actions=""
    )


def page_values(handover: Handover, files: str) -> Mapping[str, object]:
    """Return the values of the template `handover_content.html`, which pages of the crew include too."""
    language = handover.wording.language
    ecg, trend = ecg_sheet(handover), trend_plot(handover)
    return {
        "lang": language.value,
        "content": handover.content,
        "handed_over": handover.encounter,
        "orders": {order: order is handover.content.order for order in Order},
        # A drawing escapes its texts.
        "ecg": None if ecg is None else Markup(svg(ecg)),  # noqa: S704
        "trend": None if trend is None else Markup(svg(trend)),  # noqa: S704
        "table": vitals_table(handover),
        "phrases": {name: words.of(language) for name, words in PHRASES.items()},
        "files": files,
    }
