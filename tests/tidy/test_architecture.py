"""Every path in the pages for engineers exists."""

import re
from pathlib import Path

import pytest

from tests.tidy.sources import ROOT

PAGES = ("docs/architecture.md", "CONTRIBUTING.md")
TOPS = "cloud|gateway|protocols|simulators|tests|docs|systemd|requirements"
PLACEHOLDERS = re.compile(r"ROOM|SLICE")


def paths(page: str) -> list[str]:
    """Return the texts in backticks that start with one of our folders, or that name a file in the root folder."""
    quoted = re.findall(r"`([^`\s]+)`", (ROOT / page).read_text())
    return [each for each in quoted if re.match(rf"(?:{TOPS})/|[A-Za-z]+\.(?:md|toml)$", each)]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_named_in_the_documentation_for_engineers_exists(page: str) -> None:
    assert page != PAGES[0] or len(paths(page)) > 60
    lost = [each for each in paths(page) if not list(ROOT.glob(PLACEHOLDERS.sub("*", each).rstrip("/")))]
    assert lost == []


def test_architecture_page_names_every_package_of_the_cloud() -> None:
    text = Path(ROOT / PAGES[0]).read_text()
    rooms = [path.parent.name for path in (ROOT / "cloud").glob("*/__init__.py")]
    assert [room for room in rooms if f"`cloud/{room}/`" not in text] == []
