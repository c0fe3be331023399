"""The PDF of a hand-over, as other programs see it: its scale in a rendered picture, its texts, its form."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.epcr.handover.handovers import Handover
from gateway.epcr.handover.pdf import PdfPrinter, PdfUnavailable
from protocols.epcr.handover.language import Language
from protocols.epcr.handover.order import Order
from tests.builders.care_changes import ENCOUNTER
from tests.builders.handovers import chest_pain, handovers_of, numerics, signatures, twelve_leads

PX_PER_MM = 10
"""Pixels of a millimetre at 254 dpi."""
MARGIN_MM = 12


async def handover(language: Language = Language.POLISH) -> Handover:
    handovers = handovers_of([*chest_pain(), *signatures()], [*numerics(), *twelve_leads()])
    return await handovers.make(ENCOUNTER, language, Order.IMIST_AMBO)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PDF of a call with chest pain, in Polish."""
    for program in ("pdftoppm", "pdftotext", "pdfinfo", "pdffonts"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is absent")
    path = tmp_path_factory.mktemp("pdf") / "handover.pdf"
    path.write_bytes(await PdfPrinter().print(await handover()))
    return path


def run(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60).stdout


class Picture:
    """The rendered grey picture of one page."""

    def __init__(self, document: Path, page: int) -> None:
        target = document.with_suffix("")
        numbered = ["-f", str(page), "-l", str(page), "-singlefile"]
        run("pdftoppm", "-r", "254", "-gray", *numbered, str(document), str(target))
        head, size, _, self.pixels = target.with_suffix(".pgm").read_bytes().split(b"\n", 3)
        assert head == b"P5"
        self.width, self.height = map(int, size.split())

    def row(self, y: int) -> bytes:
        return self.pixels[y * self.width : (y + 1) * self.width]

    def column(self, x: int) -> bytes:
        return self.pixels[x :: self.width]


@pytest.fixture(scope="module")
def ecg_page(document: Path) -> Picture:
    pages = int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", str(document)))[1])  # type: ignore[index]
    return Picture(document, pages)


def runs(line: bytes, *, below: int) -> Iterator[tuple[int, int]]:
    """Yield the first place and the length of each run of dark pixels."""
    start: int | None = None
    for place, grey in enumerate(line):
        if grey < below and start is None:
            start = place
        elif grey >= below and start is not None:
            yield start, place - start
            start = None


def test_calibration_pulse_is_10_mm_high_and_5_mm_wide(ecg_page: Picture):
    # Behind the margin of the page and that of the drawing, the pulse is the first black line.
    left = (MARGIN_MM + 2) * PX_PER_MM
    edges = [
        x for x in range(left - 5, left + 60) if max(length for _, length in runs(ecg_page.column(x), below=90)) > 90
    ]
    first, last = edges[0], edges[-1]
    assert abs((last - first) - 5 * PX_PER_MM) <= 3  # the pen is 0.3 mm wide
    middle_of_edges = [
        sum(group) / len(group) for group in ([x for x in edges if x < first + 10], [x for x in edges if x > last - 10])
    ]
    assert abs(middle_of_edges[1] - middle_of_edges[0] - 5 * PX_PER_MM) <= 1
    start, length = max(runs(ecg_page.column(round(middle_of_edges[0])), below=90), key=lambda run: run[1])
    assert abs(length - 3 - 10 * PX_PER_MM) <= 1, start


def test_grid_has_a_line_each_millimetre(ecg_page: Picture):
    y = (MARGIN_MM + 10) * PX_PER_MM + 15
    row = ecg_page.row(y)[MARGIN_MM * PX_PER_MM - 3 :]
    lines = [start + (length - 1) / 2 for start, length in runs(row, below=245)]
    pitches = [after - before for before, after in pairwise(lines[:60])]
    assert all(abs(pitch - PX_PER_MM) <= 1 for pitch in pitches), pitches
    assert abs(lines[50] - lines[0] - 50 * PX_PER_MM) <= 1


def test_ruler_is_50_mm_long(ecg_page: Picture):
    longest = max(
        (run for y in range(ecg_page.height * 3 // 4, ecg_page.height) for run in runs(ecg_page.row(y), below=90)),
        key=lambda run: run[1],
    )
    assert abs(longest[1] - 50 * PX_PER_MM) <= 4
    assert abs(longest[0] - MARGIN_MM * PX_PER_MM) <= 3


def test_spike_of_one_millivolt_is_10_mm_high_and_beats_of_a_second_are_25_mm_apart(ecg_page: Picture):
    # Lead II in the last row has a spike each second.
    bottom = (MARGIN_MM + 10 + 3.5 * 36) * PX_PER_MM
    y = round(bottom - 5 * PX_PER_MM)
    dark = [start for start, _ in runs(ecg_page.row(y), below=90) if start > (MARGIN_MM + 8) * PX_PER_MM]
    rising = dark[::2]
    assert len(rising) >= 9
    assert all(abs(after - before - 25 * PX_PER_MM) <= 2 for before, after in pairwise(rising))
    assert min(ecg_page.row(round(bottom - 9.5 * PX_PER_MM))) < 90
    assert not [start for start, _ in runs(ecg_page.row(round(bottom - 11 * PX_PER_MM)), below=90) if start in dark]


def test_nothing_is_outside_of_the_page(document: Path):
    pages = int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", str(document)))[1])  # type: ignore[index]
    for page in range(1, pages + 1):
        picture = Picture(document, page)
        edges = (picture.row(0), picture.row(picture.height - 1), picture.column(0), picture.column(picture.width - 1))
        assert {*b"".join(edges)} == {255}
    boxes = run("pdftotext", "-bbox", str(document), "-")
    sizes = [tuple(map(float, each)) for each in re.findall(r'<page width="([\d.]+)" height="([\d.]+)"', boxes)]
    assert sizes == [*[(595.28, 841.89)] * (len(sizes) - 1), (841.89, 595.28)]
    page = -1
    for line in boxes.splitlines():
        page += "<page " in line
        if word := re.search(r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)"', line):
            x_min, y_min, x_max, y_max = map(float, word.groups())
            assert 0 <= x_min <= x_max <= sizes[page][0], line
            assert 0 <= y_min <= y_max <= sizes[page][1], line


async def test_check_23_text_layer_has_the_words_of_the_page_with_polish_letters(document: Path):
    text = " ".join(run("pdftotext", "-layout", str(document), "-").replace("\u00a0", " ").split())
    content = (await handover()).content
    assert "Łucja Żółć" in text
    assert "Przekazanie pacjenta" in text
    whole = "".join(text.split())
    for item in content.items:
        for fact in item.facts:
            assert "".join(fact.replace("\u00a0", " ").split()) in whole, fact
    assert "Dostępną cyfrowo postacią tego dokumentu jest strona HTML." in text
    assert "Wstępne, niepodpisane" in text
    assert "Łucja Żółć · pacjent · odmowa transportu · 01:59" in text


def test_document_is_pdf_a_2u_with_language_title_and_embedded_fonts(document: Path):
    about = run("pdfinfo", "-meta", str(document))
    assert "<pdfaid:part>2</pdfaid:part>" in about
    assert "<pdfaid:conformance>U</pdfaid:conformance>" in about
    assert "Przekazanie pacjenta</rdf:li>" in about
    assert b"/Lang (pl)" in document.read_bytes()
    fonts = run("pdffonts", str(document)).splitlines()[2:]
    assert fonts
    assert all(re.search(r"\byes yes yes\b", line) for line in fonts), fonts


async def test_fault_of_the_drawing_process_is_reported_and_ends_it():
    with pytest.raises(PdfUnavailable):
        await PdfPrinter(program="gateway.epcr.handover.absent").print(await handover())


async def test_drawing_process_that_takes_too_long_is_killed():
    began = time.monotonic()
    with pytest.raises(PdfUnavailable):
        await PdfPrinter(time_s_max=0.05).print(await handover())
    assert time.monotonic() - began < 20
