"""The code blocks of the guides: each one from its source, as the pages of both languages show it.

The first word of a block's head is its language, and further words state where a reader uses it: `sh demo` beside a
demo, `sh python` and `sh typescript` in the environment of an SDK, and `python devices.py` in a file of this name.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud.partners.docs import guides, verification_page
from tests.harness.running_cloud import RunningCloud

FOLDER = Path(guides.__file__).parent / "guides"
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHOWN = re.compile(r'<pre tabindex="0"><code class="([^"]*)">(.*?)</code></pre>', re.DOTALL)
_COMMAND = re.compile(r"^(?:export|eval|pip|npm|npx|node|python3?|curl|make|cd|argus-\w+) \S")


@dataclass(frozen=True)
class Block:
    """A code block. `words` are those of its head after the language."""

    guide: str
    language: str
    words: Sequence[str]
    text: str


def code_blocks_of(name: str, language: str, urls: Mapping[str, str]) -> list[Block]:
    """Return the blocks of a guide, with the addresses of an installation."""
    source = (FOLDER / language / f"{name}.md").read_text()
    for host, url in urls.items():
        source = source.replace(f"https://{host}.example.org", url)
    source = source.replace("SHA256_OF_THE_VERIFICATION_PAGE", verification_page.SHA256)
    found = []
    for head, text in _BLOCK.findall(source):
        kind, *words = head.split() or [""]
        found.append(Block(name, kind, tuple(words), text))
    return found


def blocks_on_pages(cloud: RunningCloud, index: Mapping[str, Any]) -> list[Block]:
    """Return the blocks of all guides. Each page of a guide, in both languages, shows exactly these."""
    found: list[Block] = []
    with cloud.client(host="docs") as client:
        for guide in index["guides"]:
            for language, page in guide["pages"].items():
                blocks = code_blocks_of(guide["name"], language, cloud.urls)
                text = client.get(page).raise_for_status().text
                shown = [(kind, html.unescape(code)) for kind, code in _SHOWN.findall(text)]
                assert shown == [(one.language, one.text) for one in blocks], page
                assert len(shown) == text.count("<pre"), page
                if language == "en":
                    found += blocks
                else:
                    assert blocks == found[len(found) - len(blocks) :], page
    return found


def commands_of(script: str) -> list[str]:
    """Return the commands of a shell script as a reader enters them: one a line, or several lines with a backslash."""
    return [line for line in script.replace("\\\n", "").splitlines() if line.strip()]


def commands_in_prose(name: str, language: str) -> list[str]:
    """Return what a guide shows as a command outside of a code block."""
    prose = _BLOCK.sub("", (FOLDER / language / f"{name}.md").read_text())
    return [code for code in re.findall(r"`([^`\n]+)`", prose) if _COMMAND.match(code)]
