"""Draw the PDF of a hand-over: PDF/A-2U with embedded fonts, from JSON on the standard input to the standard output.

It runs as a process of its own, `python -m gateway.epcr.handover.pdf_document`, so that neither its memory, nor its
time, nor a fault of the PDF library can reach the gateway (`pdf` starts it). It limits itself before it loads the
library, may write no file, and leaves no core file: it holds patient data.

The PDF has no structure for screen readers, which the library cannot make, so it names the HTML page as the accessible
form. Lengths are millimetres: the ECG is drawn at true scale.
"""

import resource
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from fpdf import FPDF

INPUT_BYTES_MAX = 8 << 20
"""Longest input: twelve leads of 10 000 samples as points of a line are some megabytes."""
MEMORY_BYTES_MAX = 1 << 30
"""Address space of the process, of which it uses a tenth."""
CPU_S_MAX = 20
"""Processor time of the process; a document takes less than two seconds."""
_MARGIN_MM = 12.0
_FONT = "DejaVu"
_FOLDER = Path(__file__).parent / "fonts"
_LABEL_MM = 48.0
_UNKNOWN = "□"
"""Shown in the place of a character that the font does not have."""
_STATE_BOX = (245, 245, 245)
Json = Mapping[str, Any]


def main() -> int:
    """Read a document, and write its PDF. Returns 1 for an input that is too long."""
    limit()
    data = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        return 1
    sys.stdout.buffer.write(document_pdf(orjson.loads(data)))
    return 0


def limit() -> None:
    """Limit this process. It may open no file for writing more than nothing, and leaves no core file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def document_pdf(document: Json) -> bytes:
    """Return the PDF of a document (`pdf.document_of`)."""
    from fpdf import FPDF

    footer = str(document["footer"])

    class Document(FPDF):
        """A document with the same line at the bottom of each page."""

        def footer(self) -> None:
            self.set_y(-10.0)
            self.set_font(_FONT, "", 7)
            self.cell(0, 4, f"{footer}   {self.page_no()}/{{nb}}", align="C")

    pdf = Document(enforce_compliance="PDF/A-2U")
    pdf.add_font(_FONT, "", _FOLDER / "DejaVuSans.ttf")
    pdf.add_font(_FONT, "B", _FOLDER / "DejaVuSans-Bold.ttf")
    pdf.set_lang(document["language"])
    pdf.set_title(document["title"])
    pdf.set_creation_date(datetime.fromtimestamp(document["made_us"] / 1_000_000, UTC))
    pdf.set_margins(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    pdf.set_auto_page_break(auto=True, margin=14.0)
    pen = _Pen(pdf)
    pen.front(document)
    for drawing in document["drawings"]:
        pen.drawing(drawing)
    pen.details(document)
    pen.signatures(document)
    for drawing in document["wide_drawings"]:
        pdf.add_page(orientation="landscape")
        pen.drawing(drawing)
    return bytes(pdf.output())


class _Pen:
    """Writes the parts of a document, one below the other."""

    def __init__(self, pdf: "FPDF") -> None:
        self._pdf = pdf
        pdf.set_font(_FONT, "", 10)
        font: Any = pdf.current_font
        self._characters = frozenset(font.cmap)

    def front(self, document: Json) -> None:
        """Write the first screen: the title, the state, and the items with their brief facts."""
        pdf = self._pdf
        pdf.add_page()
        pdf.set_font(_FONT, "B", 15)
        pdf.cell(0, 8, self._text(document["title"]), new_x="LMARGIN", new_y="NEXT")
        pdf.set_font(_FONT, "B", 10)
        pdf.set_fill_color(*_STATE_BOX)
        pdf.multi_cell(0, 6, self._text(document["state"]), fill=True, new_x="LMARGIN", new_y="NEXT")
        pdf.ln(2)
        for title, text, is_missing in document["rows"]:
            self._row(title, text, "B" if is_missing else "", 10)
        pdf.ln(2)

    def details(self, document: Json) -> None:
        """Write all facts of each item, and the table of the vital signs."""
        for title, facts in document["sections"]:
            self._heading(title)
            self._pdf.set_font(_FONT, "", 9)
            for fact in facts:
                self._pdf.multi_cell(0, 4.6, self._text(f"• {fact}"), new_x="LMARGIN", new_y="NEXT")
        if document["table"]:
            self._heading(document["table_title"])
            self._table(document["table"])

    def signatures(self, document: Json) -> None:
        """Write who signed, each with the lines that were drawn on the tablet."""
        pdf = self._pdf
        if document["signatures"]:
            self._heading(document["signatures_title"])
        for caption, drawing in document["signatures"]:
            if drawing is not None and pdf.get_y() + 6.0 + drawing["height_mm"] > pdf.page_break_trigger:
                pdf.add_page(same=True)
            pdf.set_font(_FONT, "", 9)
            pdf.multi_cell(0, 4.6, self._text(caption), new_x="LMARGIN", new_y="NEXT")
            if drawing is not None:
                self.drawing(drawing)

    def drawing(self, drawing: Json) -> None:
        """Draw at the present place, or on the next page if the drawing does not fit on this one."""
        pdf = self._pdf
        if pdf.get_y() + drawing["height_mm"] > pdf.page_break_trigger:
            pdf.add_page(same=True)
        left, top = pdf.l_margin, pdf.get_y()
        for line in drawing["lines"]:
            pdf.set_draw_color(*line["rgb"])
            pdf.set_line_width(line["width_mm"])
            dash = line["dash_mm"]
            pdf.set_dash_pattern(dash=dash, gap=dash)
            pdf.polyline([(left + x, top + y) for x, y in line["points"]])
        pdf.set_dash_pattern()
        for label in drawing["labels"]:
            pdf.set_text_color(*label["rgb"])
            pdf.set_font(_FONT, "", label["size_mm"] / 25.4 * 72)
            text = self._text(label["text"])
            width = pdf.get_string_width(text) if label["at_end"] else 0.0
            pdf.text(left + label["x_mm"] - width, top + label["y_mm"], text)
        pdf.set_text_color(0, 0, 0)
        pdf.set_y(top + drawing["height_mm"] + 2.0)

    def _row(self, title: str, text: str, style: str, size: int) -> None:
        pdf = self._pdf
        if pdf.get_y() + 12.0 > pdf.page_break_trigger:
            pdf.add_page(same=True)
        page, top = pdf.page, pdf.get_y()
        pdf.set_font(_FONT, "B", size)
        pdf.multi_cell(_LABEL_MM, 5, self._text(title), align="L", new_x="LMARGIN", new_y="NEXT")
        below = pdf.get_y()
        pdf.set_font(_FONT, style, size)
        pdf.set_xy(pdf.l_margin + _LABEL_MM, top)
        pdf.multi_cell(0, 5, self._text(text), align="L", new_x="LMARGIN", new_y="NEXT")
        if pdf.page == page:
            pdf.set_y(max(pdf.get_y(), below))

    def _heading(self, title: str) -> None:
        pdf = self._pdf
        if pdf.get_y() + 14.0 > pdf.page_break_trigger:
            pdf.add_page(same=True)
        pdf.ln(1)
        pdf.set_font(_FONT, "B", 10)
        pdf.multi_cell(0, 6, self._text(title), new_x="LMARGIN", new_y="NEXT")

    def _table(self, rows: Sequence[Sequence[str]]) -> None:
        self._pdf.set_font(_FONT, "", 8)
        self._pdf.set_draw_color(150, 150, 150)
        self._pdf.set_line_width(0.1)
        with self._pdf.table(line_height=4.6, text_align="LEFT", first_row_as_headings=True) as table:
            for texts in rows:
                row = table.row()
                for text in texts:
                    row.cell(self._text(text))

    def _text(self, text: str) -> str:
        """Return a text in the characters of the font, as PDF/A requires. Its line ends are kept."""
        return "".join(
            letter if ord(letter) in self._characters or letter == "\n" else " " if letter.isspace() else _UNKNOWN
            for letter in text
        )


if __name__ == "__main__":
    sys.exit(main())
