"""PDF of a hand-over, drawn by a process of its own (`pdf_document`) with limits on its time, memory and output."""

import asyncio
import sys
from dataclasses import asdict
from typing import Any

import orjson
import structlog

from gateway.epcr.handover.handovers import Handover
from protocols.epcr.handover.drawing import Drawing, rgb
from protocols.epcr.handover.drawings import ecg_sheet, trend_plot
from protocols.epcr.handover.labels import PHRASES
from protocols.epcr.handover.page import vitals_table

TIME_S_MAX = 30.0
"""Time for one document, on a loaded vehicle computer. It takes about a second."""
PDF_BYTES_MAX = 8 << 20
AT_ONCE = 1
"""Documents at one time, so that readers cannot take the vehicle's processor."""
_PROGRAM = "gateway.epcr.handover.pdf_document"

log = structlog.get_logger()


class PdfUnavailable(Exception):
    """The PDF cannot be made now. The page has the same content."""


class PdfPrinter:
    """Makes PDFs, a few at one time. `program`: the module that draws them."""

    def __init__(self, *, time_s_max: float = TIME_S_MAX, program: str = _PROGRAM) -> None:
        self._time_s_max = time_s_max
        self._program = program
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def print(self, handover: Handover) -> bytes:
        """Return the PDF of a hand-over. Raises `PdfUnavailable`."""
        document = orjson.dumps(document_of(handover))
        async with self._turn:
            # What it writes about an error may have patient data, so it is dropped.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._program),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(self._time_s_max):
                    found = await _exchange(process, document)
            except (TimeoutError, OSError) as error:
                log.warning("handover.pdf_failed", why=type(error).__name__)
                raise PdfUnavailable from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0 or not found.startswith(b"%PDF-") or len(found) > PDF_BYTES_MAX:
            log.warning("handover.pdf_failed", why=f"exit {process.returncode}")
            raise PdfUnavailable
        return found


async def _exchange(process: asyncio.subprocess.Process, document: bytes) -> bytes:
    """Send the document, and return at most one byte more than the limit of the output."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(document)
    process.stdin.close()
    chunks: list[bytes] = []
    size = 0
    while size <= PDF_BYTES_MAX and (chunk := await process.stdout.read(1 << 16)):
        chunks.append(chunk)
        size += len(chunk)
    if size <= PDF_BYTES_MAX:
        await process.wait()
    return b"".join(chunks)


def document_of(handover: Handover) -> dict[str, Any]:
    """Return the document that `pdf_document` draws: only texts and lines, no decision is left to it."""
    content, wording = handover.content, handover.wording
    items = (*content.items, *content.further)
    ecg, trend = ecg_sheet(handover.ecg, wording, content.state), trend_plot(handover.readings, wording)
    return {
        "language": wording.language.value,
        "title": content.title,
        "made_us": handover.made_us,
        "footer": f"{content.made_at} · {content.state} · {wording.words(PHRASES['accessible'])}",
        "state": " · ".join(filter(None, (content.made_at, content.state, content.newest, content.arrival))),
        "rows": [(item.title, " · ".join(item.brief) or item.missing, item.is_missing) for item in items],
        "sections": [(item.title, item.facts) for item in items if not item.is_missing],
        "table_title": wording.words(PHRASES["vitals"]),
        "table": vitals_table(content, wording),
        "signatures_title": wording.words(PHRASES["signatures"]),
        "signatures": [
            (one.caption, None if (drawn := one.drawing()) is None else _drawing(drawn)) for one in content.signatures
        ],
        "drawings": [_drawing(trend)] if trend is not None else [],
        "wide_drawings": [_drawing(ecg)] if ecg is not None else [],
    }


def _drawing(drawing: Drawing) -> dict[str, Any]:
    return {
        "height_mm": drawing.height_mm,
        "lines": [{**asdict(line), "rgb": rgb(line.stroke)} for line in drawing.lines],
        "labels": [{**asdict(label), "rgb": rgb(label.stroke)} for label in drawing.labels],
    }
