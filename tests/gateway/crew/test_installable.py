"""The page can be installed on a tablet: iPadOS and Android take their icon from pictures, not from a drawing."""

import json
from pathlib import Path

from PIL import Image

import gateway.crew

STATIC = Path(gateway.crew.__file__).parent / "static"
TEMPLATES = Path(gateway.crew.__file__).parent / "templates"
GREEN = (11, 122, 117)
"""Ground of the mark (mark.svg)."""


def test_manifest_has_opaque_icons_of_the_sizes_that_tablets_require():
    icons = json.loads((STATIC / "manifest.webmanifest").read_text())["icons"]
    pictures = {each["sizes"]: each["src"] for each in icons if each["type"] == "image/png"}
    assert set(pictures) == {"192x192", "512x512"}
    assert {each["purpose"] for each in icons} == {"any", "maskable"}
    for size, path in pictures.items():
        with Image.open(STATIC / Path(path).name) as icon:
            assert icon.size == tuple(int(side) for side in size.split("x"))
            assert not icon.has_transparency_data, "iPadOS draws black below a transparent icon"
            # Corner, and a point on the line of the mark: the picture is the mark, to the edge.
            shown = icon.convert("RGB")
            assert shown.getpixel((0, 0)) == GREEN
            assert shown.getpixel((icon.width * 6 // 32, icon.height * 17 // 32)) == (255, 255, 255)


def test_pages_name_the_icon_for_the_home_screen():
    for template in ("frame.html", "shell.html"):
        assert '<link rel="apple-touch-icon" href="/static/icon-192.png">' in (TEMPLATES / template).read_text()
