"""HTML page of a hand-over: the accessible form, for the hospital's reader, for the crew, and as a file.

The first screen has the items with their brief facts; below it are all facts, the trend, the vital signs and the ECG.
Texts and drawings are those of the PDF and of the bundle.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gateway.epcr.handover.drawing import svg
from gateway.epcr.handover.drawings import ecg_sheet, trend_plot
from gateway.epcr.handover.handovers import Handover
from gateway.epcr.handover.page_words import PAGE_WORDS
from gateway.epcr.handover.pdf import vitals_table
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order

TEMPLATES = Path(__file__).parent / "templates"
STYLESHEET = TEMPLATES / "handover.css"
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
)


def words_of(language: Language) -> Mapping[str, str]:
    """Return the texts of the pages around a hand-over."""
    return {name: words.of(language) for name, words in PAGE_WORDS.items()}


def render(template: str, language: Language, **values: Any) -> str:
    """Return a page of the hand-over's templates with the texts of a language."""
    return _ENVIRONMENT.get_template(template).render(lang=language.value, words=words_of(language), **values)


def handover_page(
    handover: Handover, *, template: str = "handover.html", stylesheet_url: str = "", **values: Any
) -> str:
    """Return the page of a hand-over. Without `stylesheet_url` the page has its style inside, as a file needs it.
    `values` are those of a template that extends the page."""
    wording = handover.wording
    ecg, trend = ecg_sheet(handover), trend_plot(handover)
    # Both are our own text: the style has no values, and a drawing escapes its texts.
    style = "" if stylesheet_url else Markup(STYLESHEET.read_text(encoding="utf-8"))  # noqa: S704
    return render(
        template,
        wording.language,
        **{
            "content": handover.content,
            "orders": {order: order is handover.content.order for order in Order},
            "ecg": None if ecg is None else Markup(svg(ecg)),  # noqa: S704
            "trend": None if trend is None else Markup(svg(trend)),  # noqa: S704
            "table": vitals_table(handover),
            "phrases": {name: words.of(wording.language) for name, words in PHRASES.items()},
            "stylesheet_url": stylesheet_url,
            "style": style,
            "files": "",
            **values,
        },
    )
