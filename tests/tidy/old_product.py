"""Runs this tree's marked tests against the product of an older commit, and judges how they end."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.absent_names import RESULTS
from tests.tidy.sources import ROOT

FILE_S_MAX = 400
"""Seconds for a file of tests. The older product hangs in some of the stories; the slowest file that ends waits 20 s in
each of a dozen tests there."""

_NAMES = {"tests/systemd/stories.py": "make test-systemd"}
"""Files whose marked stories are no pytest tests, with the command that runs them."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one test ended on the older product: `failed` for a reason of the product, `interface`, `collection`,
    `passed`, `skipped` or `too slow`."""

    test: str
    end: str
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The strongest end among the tests of a finding, with the test that shows it."""

    end: str
    evidence: str


def run_on(old_tree: Path, files: Sequence[str]) -> list[Result]:
    """Run the marked tests of these files in a copy of `old_tree` that has this tree's tests.

    Both commits are held to the same lines. Each file gets a process of its own, so that one that hangs costs itself
    alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "argus"
        shutil.copytree(old_tree, tree, ignore=shutil.ignore_patterns(".git", "tests", ".venv*"))
        shutil.copytree(ROOT / "tests", tree / "tests", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree / "pytest.toml.source")
        _keep_pytest_settings(tree)
        # The tidy tests list the files that git knows.
        subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
        results: list[Result] = []
        for number, file in enumerate(files):
            if file in _NAMES or not Path(file).name.startswith("test_"):
                continue
            sys.stderr.write(f"{number + 1} of {len(files)}: {file}\n")
            results += _run_file(tree, file, Path(folder) / "results.jsonl")
        return results


def _keep_pytest_settings(tree: Path) -> None:
    """This tree's pytest settings and the older product's everything else: its build backend may be a finding."""
    ours = (tree / "pytest.toml.source").read_text()
    theirs = (tree / "pyproject.toml").read_text()
    begin = "[tool.pytest.ini_options]"
    section = ours[ours.index(begin) :].partition("\n[")[0]
    before, _, rest = theirs.partition(begin)
    (tree / "pyproject.toml").write_text(f"{before}{section}\n[{rest.partition(chr(10) + '[')[2]}")
    (tree / "pytest.toml.source").unlink()


def _run_file(tree: Path, file: str, path: Path) -> list[Result]:
    path.unlink(missing_ok=True)
    hung = False
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-m", "finding", "-p", "tests.tidy.absent_names", "--tb=no", file],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), RESULTS: str(path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            process.wait(FILE_S_MAX)
        except subprocess.TimeoutExpired:
            process.terminate()
            hung = True
    lines = path.read_text().splitlines() if path.exists() else []
    results = [Result(**json.loads(line)) for line in lines]
    if hung:
        results.append(Result(file, "too slow", f"the file did not end in {FILE_S_MAX} s"))
    elif not results:
        results.append(Result(file, "collection", "pytest ran no test of the file"))
    return results


def verdict_on(places: Sequence[str], results: Sequence[Result]) -> Verdict:
    """Judge a finding by the results of the tests that name it."""
    own = [each for each in results if any(_names(place, each.test) for place in places)]
    for end in ("failed", "interface", "collection", "too slow", "passed", "skipped"):
        found = [each for each in own if each.end == end]
        if found:
            found.sort(key=lambda each: not each.why.startswith(("AssertionError", "Failed")))
            shown = f"{found[0].test}: {found[0].why}" if found[0].why else found[0].test
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            kind = {"collection": "interface", "too slow": "interface", "skipped": "passed"}.get(end, end)
            return Verdict(kind, shown + more)
    return Verdict("not run", ", ".join(_NAMES.get(place.partition("::")[0], place) for place in places))


def _names(place: str, test: str) -> bool:
    """Whether a test's node id belongs to a marked place, `path` or `path::name`."""
    file, _, name = place.partition("::")
    found_file, _, found = test.partition("::")
    return found_file == file and (not name or not found or found.partition("[")[0] == name)
