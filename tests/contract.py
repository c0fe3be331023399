"""Which numbers of the contract matrix are named by a test, and which by none: `make contract`.

Reads the markers from the tests' syntax trees, so that it needs neither a database nor an import.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MATRIX = ROOT.parent / "shared" / "contract" / "matrix.md"


def numbers_of_matrix(text: str) -> list[str]:
    """The C-numbers that the matrix defines, in order of first appearance."""
    return list(dict.fromkeys(re.findall(r"\bC-\d{3}\b", text)))


def numbers_of_tests(source: str) -> set[str]:
    """The string arguments of every `pytest.mark.contract(...)` in one file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.contract":
            found |= {arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)}
    return found


def main() -> int:
    if not MATRIX.exists():
        sys.stderr.write("the contract matrix lies in the shared material, which is absent here\n")
        return 1
    wanted = numbers_of_matrix(MATRIX.read_text())
    named = set().union(*(numbers_of_tests(path.read_text()) for path in (ROOT / "tests").rglob("test_*.py")))
    open_numbers = [number for number in wanted if number not in named]
    for number in open_numbers:
        sys.stdout.write(f"{number}\n")
    sys.stderr.write(f"{len(wanted) - len(open_numbers)} of {len(wanted)} numbers are named by a test\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
