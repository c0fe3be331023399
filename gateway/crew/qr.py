"""QR codes of the crew's pages, as SVG."""

import io

import segno
from markupsafe import Markup

MODULE_PX = 8
"""Pixels of a module of the QR code, so that a phone reads it at arm's length."""


def qr_code(address: str) -> Markup:
    """Return the QR code of an address as SVG: level Q, dark on light in every look, with a border of four modules."""
    found = io.BytesIO()
    segno.make_qr(address, error="q").save(
        found,
        kind="svg",
        scale=MODULE_PX,
        border=4,
        dark="#000000",
        light=None,  # the style sheet has the ground, which the night look dims
        xmldecl=False,
        svgclass=None,
        lineclass=None,
        nl=False,
    )
    return Markup(found.getvalue().decode())  # noqa: S704  made from our own address
