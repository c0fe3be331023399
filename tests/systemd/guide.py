"""The commands in the operator's guide, so that the tests run exactly the commands that an operator types."""

import re

from tests.systemd.debian import PROJECT

GUIDE = PROJECT / "docs" / "operator.md"
LANGUAGE = "sh"
"""The language mark of the guide's code blocks that can be run unchanged."""


def commands(heading: str) -> list[str]:
    """Return each block of shell commands between this heading of the guide and the next heading."""
    blocks: list[str] = []
    below, indent, language = False, "", None
    for line in GUIDE.read_text().splitlines():
        fence = re.fullmatch(r"( *)```(\w*)", line)
        if language is None and fence is not None:
            indent, language = fence[1], fence[2]
            if below and language == LANGUAGE:
                blocks.append("")
        elif fence is not None:
            language = None
        elif language is not None:
            if below and language == LANGUAGE:
                blocks[-1] += line.removeprefix(indent) + "\n"
        elif line.startswith("#"):
            below = line.lstrip("#").strip() == heading
    assert blocks, f"the guide's section {heading} has no commands"
    return blocks
