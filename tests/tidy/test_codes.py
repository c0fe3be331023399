"""Outside their tables, nomenclature codes are written by name, because a number beside a name could be that of another
code.
"""

import ast
from pathlib import Path

from tests.tidy.sources import ROOT, python_files

SCOPE = ("protocols", "gateway", "cloud", "sdk", "simulators")
TABLES = ROOT / "protocols" / "ieee11073" / "nomenclature"


def _spelt_codes(path: Path) -> list[int]:
    """Return the line of each call `Code(…)` with two literal arguments."""
    text = path.read_text(encoding="utf-8")
    if "Code(" not in text:
        return []
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Code"
        and len(node.args) == 2
        and all(isinstance(each, ast.Constant) for each in node.args)
    ]


def test_nomenclature_codes_outside_the_tables_are_written_by_name() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files()
        if path.relative_to(ROOT).parts[0] in SCOPE and TABLES not in path.parents
        for line in _spelt_codes(path)
    }
    assert not found, "use code_of"


def test_nomenclature_code_written_as_two_numbers_is_found(tmp_path: Path) -> None:
    source = tmp_path / "one.py"
    source.write_text("X = Code(2, 19384)\nY = Code(partition, 19384)\n", encoding="utf-8")
    assert _spelt_codes(source) == [1]
