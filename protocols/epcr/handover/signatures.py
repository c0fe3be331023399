"""Signatures of a hand-over: who signed, for what and when, with the lines that were drawn on the tablet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.epcr.handover.drawing import Drawing, Line, Point
from protocols.epcr.handover.wording import Wording, microseconds_of
from protocols.epcr.projection import VisibleField, VisibleRecord

WIDTH_MM, HEIGHT_MM = 60.0, 20.0
"""The field of a signature on paper. Its 600 by 200 points keep their proportions."""
_WIDTH_POINTS, _HEIGHT_POINTS = 600, 200
_MM_PER_POINT = 0.1
_PEN_MM = 0.3
SIGNED: Final = "4515031"
"""Code of `signatures.status`: signed. Any other one states why a signature is missing."""


@dataclass(frozen=True, slots=True)
class HandoverSignature:
    """A signature. `caption` states name, role, reason and time, as far as the record has them. `strokes` are the lines
    of the pen in millimetres, from the upper left corner; empty for one that was not drawn."""

    caption: str
    strokes: tuple[Sequence[Point], ...]

    def drawing(self) -> Drawing | None:
        """Return the drawn lines; None for a signature that was not drawn."""
        if not self.strokes:
            return None
        lines = [Line(points, width_mm=_PEN_MM) for points in self.strokes]
        return Drawing(self.caption, WIDTH_MM, HEIGHT_MM, lines, ())


def signatures_of(record: VisibleRecord, wording: Wording) -> tuple[HandoverSignature, ...]:
    """Return the signatures of a record, oldest first, without those that were declared void."""
    entries: dict[str, dict[str, VisibleField]] = {}
    for field in record.fields:
        if field.element.group == "signatures" and not field.void:
            entries.setdefault(field.entry, {})[field.element.key.partition(".")[2]] = field
    rows = [
        (_signed_us(fields), HandoverSignature(_caption(fields, wording), _strokes(record.drawn.get(entry, ""))))
        for entry, fields in entries.items()
    ]
    return tuple(one for _, one in sorted(rows, key=lambda row: row[0]) if one.caption)


def _caption(fields: Mapping[str, VisibleField], wording: Wording) -> str:
    def text(name: str) -> str:
        return wording.field(fields[name]) if name in fields else ""

    name = " ".join(filter(None, (text("first_name"), text("last_name"))))
    role = ", ".join(filter(None, (text("signer"), text("relation"))))
    is_signed = "status" in fields and fields["status"].shown[0].value == SIGNED
    when = text("time") or wording.time(_signed_us(fields))
    return " · ".join(filter(None, (name, role, text("reason"), "" if is_signed else text("status"), when)))


def _signed_us(fields: Mapping[str, VisibleField]) -> int:
    """Return the time of a signature in µs since 1970: as stated, otherwise when it was recorded."""
    stated = fields.get("time")
    if stated is not None and (value := stated.shown[0].value) is not None:
        return microseconds_of(value)
    return min(statement.recorded_us for field in fields.values() for statement in field.shown)


def _strokes(path: str) -> tuple[Sequence[Point], ...]:
    return tuple(tuple(map(_point, stroke.split("L"))) for stroke in path.split("M") if stroke)


def _point(text: str) -> Point:
    """Return a point in the field. One beside it, which no tablet makes, is moved to its edge: a PDF document would
    have it over its other parts."""
    x, _, y = text.partition(" ")
    return min(int(x), _WIDTH_POINTS) * _MM_PER_POINT, min(int(y), _HEIGHT_POINTS) * _MM_PER_POINT
