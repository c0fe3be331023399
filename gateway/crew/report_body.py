"""Figure of the body on the report's page of injuries: its regions, and the findings that each of them offers.

A region is a rectangle of at least 48 by 48 px in a drawing of 244 by 628 px, seen from the front or from behind. It
has an element of the examination; where NEMSIS has a list of sites, the region is one of them. All findings of the
figure are one entry of the examination, so that two tablets fill in one figure.
"""

from typing import Any, NamedTuple

Json = dict[str, Any]

FIGURE_ENTRY = "trauma"
"""Entry of the examination that the figure fills in."""
WIDTH_PX, HEIGHT_PX = 244, 628
_LIMBS = "limbs.findings"


class Region(NamedTuple):
    """One region. `view`: front or back. `key`: its element. `site`: element and code of the site, None where the
    element itself is the place. Position and size in px."""

    view: str
    name: str
    key: str
    site: tuple[str, str] | None
    x: int
    y: int
    width: int
    height: int


def _pair(name: str, code_left: str, code_right: str, x: int, y: int, width: int, height: int) -> tuple[Region, ...]:
    """Return the left and the right region of a limb. The patient's left side is at the right of the drawing."""
    return (
        Region("front", f"left_{name}", _LIMBS, ("limbs.site", code_left), WIDTH_PX - x - width, y, width, height),
        Region("front", f"right_{name}", _LIMBS, ("limbs.site", code_right), x, y, width, height),
    )


def _abdomen(name: str, code: str, x: int, y: int) -> Region:
    return Region("front", name, "abdomen.findings", ("abdomen.site", code), x, y, 60, 50)


def _spine(name: str, code: str, y: int, height: int) -> Region:
    return Region("back", name, "spine.findings", ("spine.site", code), 92, y, 60, height)


REGIONS = (
    Region("front", "head", "exam.head", None, 87, 0, 70, 49),
    Region("front", "face", "exam.face", None, 92, 50, 60, 49),
    Region("front", "neck", "exam.neck", None, 97, 100, 50, 48),
    Region("front", "right_chest", "chest.findings", ("chest.site", "3524005"), 61, 150, 60, 84),
    Region("front", "left_chest", "chest.findings", ("chest.site", "3524001"), 123, 150, 60, 84),
    _abdomen("right_upper_abdomen", "3510011", 61, 236),
    _abdomen("left_upper_abdomen", "3510005", 123, 236),
    _abdomen("right_lower_abdomen", "3510009", 61, 288),
    _abdomen("left_lower_abdomen", "3510003", 123, 288),
    Region("front", "pelvis", "exam.pelvis", None, 61, 340, 122, 50),
    *_pair("upper_arm", "3515005", "3515007", 5, 150, 54, 92),
    *_pair("forearm", "3515037", "3515039", 5, 244, 54, 88),
    *_pair("hand", "3515101", "3515103", 5, 334, 54, 52),
    *_pair("thigh", "3515061", "3515063", 61, 392, 60, 90),
    *_pair("lower_leg", "3515057", "3515059", 61, 484, 60, 90),
    *_pair("foot", "3515109", "3515111", 61, 576, 60, 50),
    _spine("cervical_spine", "3513005", 100, 49),
    _spine("thoracic_spine", "3513017", 151, 98),
    _spine("lumbar_spine", "3513011", 251, 88),
    _spine("sacrum", "3513023", 341, 50),
)
FINDINGS = {
    "exam.head": ("3505029", "3505051", "3505019", "3505005", "3505007", "3505009", "3505039", "3505037"),
    "exam.face": ("3506031", "3506055", "3506021", "3506007", "3506009", "3506011", "3506041", "3506039"),
    "exam.neck": (
        *("3507029", "3507037", "3507045", "3507047", "3507025", "3507027", "3507007", "3507035"),
        *("3507055", "3507005", "3507009", "3507033"),
    ),
    "chest.findings": ("3525027", "3525047", "3525023", "3525007", "3525009", "3525011", "3525037", "3525033"),
    "abdomen.findings": ("3511031", "3511059", "3511025", "3511005", "3511007", "3511013", "3511045", "3511041"),
    "exam.pelvis": ("3512033", "3512065", "3512045", "3512005", "3512007", "3512015", "3512051", "3512039"),
    "spine.findings": ("3514025", "3514053", "3514043", "3514005", "3514007", "3514009", "3514035", "3514031"),
    "limbs.findings": (
        *("3516041", "3516081", "3516033", "3516035", "3516009", "3516011", "3516013", "3516063"),
        *("3516003", "3516059", "3516025", "3516053"),
    ),
}  # fmt: skip
"""Findings that the figure offers for each element, the most frequent first."""


def body_form() -> Json:
    """Return the figure for the page."""
    return {
        "entry": FIGURE_ENTRY,
        "width": WIDTH_PX,
        "height": HEIGHT_PX,
        "regions": [each._asdict() for each in REGIONS],
    }
