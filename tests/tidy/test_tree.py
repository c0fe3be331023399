"""Files are small, file names are specific, and no commit refers to a package registry or to a path of a developer's
machine.
"""

import ast
import re
from pathlib import Path

import pytest

from tests.soak.__main__ import GROUPS
from tests.tidy.sources import ROOT, code_lines, project_files, python_files, statements

CODE_LINES_MAX = 400
# Tables of the standard are data: long by nature, one row a line.
_TABLES = re.compile(r"/terms_[a-z0-9_]+\.py$")
_MODULE_DOCSTRING = re.compile(r'(?:#.*\n|\s)*+r?"""\S')
_VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
_OURS = ("protocols", "gateway", "cloud", "sdk", "simulators")


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_python_files_have_at_most_400_lines_of_code():
    long = {
        _shown(path): lines
        for path in python_files()
        if not _TABLES.search(str(path))
        # Counting the lines of code of every file would take 100 times as long.
        and (text := path.read_text()).count("\n") > CODE_LINES_MAX
        and (lines := code_lines(text)) > CODE_LINES_MAX
    }
    assert long == {}


def test_count_of_code_lines_excludes_comments_blank_lines_and_docstrings():
    text = '"""What.\n\nWhy."""\n\n# why\nX = 1\n\n\ndef f():\n    """Says."""\n    return (\n        X\n    )\n'
    assert code_lines(text) == 5


def test_file_and_folder_names_are_not_vague():
    vague = [_shown(path) for path in python_files() if path.stem in _VAGUE or path.parent.name in _VAGUE]
    assert vague == []


def named_tests_of(path: Path) -> set[str]:
    nodes = statements(ast.parse(path.read_text()))
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {f"{_shown(path)}::{name}" for name in functions if name.startswith("test_")}


def test_every_soak_test_belongs_to_a_soak_group_and_every_group_names_existing_tests():
    named = {argument for group in GROUPS.values() for command in group.commands for argument in command}
    named = {argument for argument in named if argument.startswith("tests/")}
    files = [
        path
        for path in python_files()
        if path.name.startswith("test_") and (path.parent.name == "soak" or any(_shown(path) in one for one in named))
    ]
    tests = {test for path in files for test in named_tests_of(path)}
    assert {name for name in named if not (ROOT / name).exists()} - tests == set()
    soaks = {test for test in tests if test.startswith("tests/soak/")}
    assert {test for test in soaks if test not in named and test.partition("::")[0] not in named} == set()


def test_every_module_has_a_docstring():
    silent = [
        _shown(path)
        for path in python_files()
        if path.relative_to(ROOT).parts[0] in _OURS
        and (text := path.read_text()).strip()
        and not _MODULE_DOCSTRING.match(text)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        (
            "a package registry",
            # Split, so that this line does not match the pattern.
            r"https?://[a-z0-9.-]+/(simple|pack"
            + r"ages)/|\"resol"
            + r"ved\": *\"https?://|index"
            + r"-url|extra-"
            + r"index",
        ),
        ("a path of this machine", r"(^|[^A-Za-z0-9_.])/(work|farm|root|home/[a-z]+)/"),
        ("work left for nobody", r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    ],
)
def test_files_contain_no_forbidden_pattern(what: str, pattern: str):
    here = Path(__file__)
    found = []
    for path in project_files():
        if path == here:
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{_shown(path)}:{n}" for n, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)]
    assert found == [], what


def test_project_contains_no_file_copied_from_the_shared_recordings():
    copied = [_shown(path) for path in project_files() if path.suffix in {".dat", ".hea", ".xyz", ".atr"}]
    assert copied == []
