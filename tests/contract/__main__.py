"""A list of the contract's requirement numbers with and without a test: `make contract`.

Without arguments it checks the whole matrix (C-…) and the security requirements (S-…) that are implemented so far. With
arguments it checks only the given numbers: `python -m tests.contract C-001…C-018 S-060 S-170…S-177`. It reads the
markers from the tests' syntax trees, so it needs neither a database nor an import of the tests.
"""

import ast
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = Path(os.environ.get("ARGUS_SHARED") or ROOT.parent / "shared") / "contract"

SECURITY_PROMISED = (
    "S-001…S-029 S-031 S-040…S-055 S-060…S-064 S-066 S-090…S-103 S-106 S-150 S-155…S-157 S-160…S-168 S-170…S-177 "
    "S-190…S-194"
)
"""The requirements of security.md that are implemented so far; newly implemented requirements are added here."""


def numbers_of(text: str, letter: str) -> list[str]:
    """Return the requirement numbers with this letter in the contract's tables, in order."""
    return list(dict.fromkeys(re.findall(rf"^\| ({letter}-\d{{3}}) \|", text, re.MULTILINE)))


def numbers_in_ranges(words: Iterable[str]) -> set[str]:
    """Return the single numbers in words such as `C-001…C-003`, `C-001..C-003` and `S-060`."""
    found: set[str] = set()
    for word in words:
        ends = re.fullmatch(r"([A-Z])-(\d{3})(?:(?:…|\.\.)\1-(\d{3}))?,?", word)
        if ends is None:
            raise ValueError(f"{word} is neither a number such as C-001 nor a range such as C-001…C-018")
        first, last = int(ends[2]), int(ends[3] or ends[2])
        found |= {f"{ends[1]}-{number:03}" for number in range(first, last + 1)}
    return found


def numbers_of_tests(source: str) -> set[str]:
    """Return the string arguments of every `pytest.mark.contract(...)` in the source of one file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.contract":
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return found


def named_by_tests() -> set[str]:
    """Return every requirement number that a test names."""
    return set().union(*(numbers_of_tests(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py")))


def main(words: list[str]) -> int:
    if not CONTRACT.exists():
        sys.stderr.write("the contract lies in the shared material, which is absent here\n")
        return 1
    requirements = numbers_of((CONTRACT / "matrix.md").read_text(), "C")
    expectations = numbers_of((CONTRACT / "security.md").read_text(), "S")
    asked = numbers_in_ranges(words) if words else {*requirements, *numbers_in_ranges(SECURITY_PROMISED.split())}
    wanted = [number for number in (*requirements, *expectations) if number in asked]
    named = named_by_tests()
    open_numbers = [number for number in wanted if number not in named]
    for number in open_numbers:
        sys.stdout.write(f"{number}\n")
    sys.stderr.write(f"{len(wanted) - len(open_numbers)} of {len(wanted)} numbers are named by a test\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
