"""The workers of the test run (`tests/harness/forked_workers.py`) run every test once and report what became of it."""

import subprocess
import sys

import pytest

from tests.tidy.sources import ROOT

FILES = {
    "test_first.py": """
        import os, pytest
        @pytest.fixture(scope="session")
        def own(tmp_path_factory):
            yield tmp_path_factory.mktemp("own")
            print("the session's fixture ended")
            raise OSError("at its end")
        def test_passes(own): assert own.parent.name == os.environ["PYTEST_XDIST_WORKER"]
        def test_skipped(): pytest.skip("for a reason")
        def test_fails(): print("printed before"); assert "this" == "that"
    """,
    "test_second.py": """
        import os, signal, warnings
        def test_warns(): warnings.warn("a warning of a test")
        def test_dies(): os.kill(os.getpid(), signal.SIGKILL)
        def test_after_it(): pass
    """,
    "test_third.py": "def test_is_run_too(): pass",
}


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the files in two workers, of which one dies; return the output of pytest."""
    folder = tmp_path_factory.mktemp("files")
    for name, text in FILES.items():
        (folder / name).write_text(text.replace("\n        ", "\n"))
    (folder / "pytest.ini").write_text("[pytest]\n")
    words = ("-p", "tests.harness.forked_workers", "--workers", "2", "-q", "-rs", "-c", str(folder / "pytest.ini"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, str(folder), "--basetemp", str(folder / "tmp")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_every_test_is_run_once_and_its_outcome_reported(output: str) -> None:
    assert "2 failed, 3 passed, 1 skipped, 1 warning, 1 error in" in output
    assert "for a reason" in output
    assert "UserWarning: a warning of a test" in output


def test_failure_is_reported_with_its_values_and_its_output(output: str) -> None:
    assert "AssertionError: assert 'this' == 'that'" in output
    assert "printed before" in output


def test_fixture_of_the_session_ends_with_its_worker_and_its_error_is_reported(output: str) -> None:
    assert "OSError: at its end" in output


def test_death_of_a_worker_fails_its_test_and_leaves_the_other_files_to_the_others(output: str) -> None:
    assert "the worker process died (status -9)" in output
    assert "test_dies" in output
