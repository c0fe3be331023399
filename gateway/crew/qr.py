"""QR codes of the crew's pages, as SVG."""

import io

import segno
from markupsafe import Markup

MODULE_PX = 8
"""Pixels of a module of the QR code, so that a phone reads it at arm's length."""
BORDER = 4
"""Modules of light ground around the code (ISO/IEC 18004)."""


def qr_code(address: str) -> Markup:
    """Return the QR code of an address as SVG: level Q, dark on light in every look, with a border of four modules."""
    found, code = io.BytesIO(), segno.make_qr(address, error="q")
    code.save(
        found,
        kind="svg",
        scale=MODULE_PX,
        border=BORDER,
        omitsize=True,
        dark="#000000",
        light=None,  # the style sheet has the ground, which the night look dims
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        nl=False,
    )
    # With both a size and a view box, a small screen can show the code smaller, as a whole.
    width, height = code.symbol_size(scale=MODULE_PX, border=BORDER)
    sized = found.getvalue().decode().replace("<svg ", f'<svg width="{width}" height="{height}" ', 1)
    return Markup(sized)  # noqa: S704  made from our own address
