"""The looks of the crew's pages: contrast and luminance of their colours, computed as WCAG 2.2 defines them."""

import re
from pathlib import Path

import pytest

SHEET = (Path(__file__).parents[3] / "gateway" / "crew" / "static" / "looks.css").read_text()
LOOKS = ("day", "night", "contrast")
TEXTS = ("text", "faint", "good", "warn", "bad", "green", "cyan", "yellow", "white", "red", "orange", "violet")


def colours(look: str) -> dict[str, str]:
    """Return the colours of a look by their name, as `#rrggbb`."""
    start = ":root {" if look == "day" else f':root[data-look="{look}"] {{'
    block = SHEET[SHEET.index(start) :].partition("}")[0]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("look", "least"), [("day", 4.5), ("night", 4.5), ("contrast", 7.0)])
def test_text_has_enough_contrast_on_every_ground_of_its_look(look: str, least: float):
    found = colours(look)
    ratios = {
        (name, ground): contrast(found[name], found[ground])
        for name in TEXTS
        for ground in ("ground", "panel", "paper")
    }
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < least} == {}
    assert contrast(found["line"], found["ground"]) >= 3.0
    assert contrast(found["on-go"], found["go"]) >= least


def test_night_look_has_a_black_ground_and_no_colour_above_60_percent_luminance():
    found = colours("night")
    assert found["ground"] == found["paper"] == "#000000"
    assert max(luminance(colour) for colour in found.values()) <= 0.6


@pytest.mark.parametrize("look", LOOKS)
def test_code_is_dark_on_light_in_every_look(look: str):
    found = colours(look)
    assert luminance(found["code-dark"]) < 0.05 < 0.5 < luminance(found["code-light"])
