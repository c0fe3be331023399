"""Drawings in millimetres, for the page (SVG) and for the PDF, so that both show the same lines at the same scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
_STROKES = {"ink": "#000000", "grid": "#f2c4c4", "grid-bold": "#e08a8a", "quiet": "#595959"}
"""Colours of strokes and texts. What a line means is never in its colour alone: each has a name beside it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, without a fill. `dash`: lengths of dashes and gaps in mm, 0: a solid line."""

    points: Sequence[Point]
    stroke: str = "ink"
    width_mm: float = 0.25
    dash_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Label:
    """A text whose baseline begins at a point, or ends there (`at_end`)."""

    x_mm: float
    y_mm: float
    text: str
    size_mm: float = 3.2
    stroke: str = "ink"
    at_end: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines and texts on a rectangle, from its upper left corner. `title` states what it shows, for people who cannot
    see it."""

    title: str
    width_mm: float
    height_mm: float
    lines: Sequence[Line]
    labels: Sequence[Label]


def svg(drawing: Drawing) -> str:
    """Return a drawing as an SVG element. Its lengths are real millimetres; it has attributes and no style, since the
    page permits no inline style."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{drawing.width_mm:g}mm" '
        f'height="{drawing.height_mm:g}mm" viewBox="0 0 {drawing.width_mm:g} {drawing.height_mm:g}">'
        f"<title>{escape(drawing.title)}</title>"
    ]
    for line in drawing.lines:
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in line.points)
        dash = f' stroke-dasharray="{line.dash_mm:g}"' if line.dash_mm else ""
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{_STROKES[line.stroke]}" '
            f'stroke-width="{line.width_mm:g}"{dash}/>'
        )
    for label in drawing.labels:
        anchor = ' text-anchor="end"' if label.at_end else ""
        parts.append(
            f'<text x="{label.x_mm:.2f}" y="{label.y_mm:.2f}" font-size="{label.size_mm:g}" '
            f'fill="{_STROKES[label.stroke]}"{anchor}>{escape(label.text)}</text>'
        )
    return "".join((*parts, "</svg>"))


def rgb(stroke: str) -> tuple[int, int, int]:
    """Return the red, green and blue of a stroke, 0 to 255."""
    colour = _STROKES[stroke]
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
