"""The SDK for Python is built as wheel and source distribution, and works installed, without the repository."""

import ast
import json
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from argus_sdk import __version__
from tests.builders.provenance_vectors import FOLDER
from tests.harness.scripted_api import CLIENT_ID, CLIENT_SECRET, scripted_server
from tests.sdk.test_stories import EXPECTED, STORIES, WHOSE, check
from tests.tidy.sources import ROOT

PROJECT = ROOT / "sdk" / "python"
_BUILD = "import sys; sys.path.insert(0, 'build_backend'); import argus_sdk_build as b; b.build_{}(sys.argv[1])"


@dataclass(frozen=True)
class Built:
    """A wheel that was built from the repository, the source distribution, and the wheel that was built from that."""

    wheel: Path
    source: Path
    wheel_of_source: Path


def build(project: Path, kind: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-c", _BUILD.format(kind), str(folder)]
    subprocess.run(command, cwd=project, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    build(PROJECT, "wheel", folder / "wheel")
    build(PROJECT, "sdist", folder / "source")
    (source,) = (folder / "source").iterdir()
    with tarfile.open(source) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    build(unpacked, "wheel", folder / "again")
    return Built(next((folder / "wheel").iterdir()), source, next((folder / "again").iterdir()))


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel that was built from the source distribution; return the python of its environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(built.wheel_of_source)], check=True)
    # What it depends on comes from the environment of the tests. Its own .pth files, which lead to the repository, are
    # not read there.
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    return python


def content(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_has_one_package_with_types_and_the_shared_modules_inside(built: Built) -> None:
    files = content(built.wheel)
    assert {name.partition("/")[0] for name in files} == {"argus_sdk", f"argus_sdk-{__version__}.dist-info"}
    assert {"argus_sdk/py.typed", "argus_sdk/_protocols/provenance/verification.py"} <= files.keys()
    assert not any(b"from protocols" in text or b"import protocols" in text for text in files.values())


def test_wheel_from_the_source_distribution_equals_that_from_the_repository(built: Built) -> None:
    one, other = content(built.wheel), content(built.wheel_of_source)
    assert one == other
    with tarfile.open(built.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CHANGELOG.md", "README.md", "build_backend/argus_sdk_build.py"} <= names


def test_wheel_imports_only_the_standard_library_itself_and_its_declared_dependencies(built: Built) -> None:
    for wheel in (built.wheel, built.wheel_of_source):
        files = content(wheel)
        (metadata,) = (text.decode() for name, text in files.items() if name.endswith(".dist-info/METADATA"))
        declared = {name.lower().replace("-", "_") for name in re.findall(r"(?m)^Requires-Dist: ([\w.-]+)", metadata)}
        imported: set[str] = set()
        for name, text in files.items():
            if name.endswith(".py"):
                for node in ast.walk(ast.parse(text)):
                    if isinstance(node, ast.Import):
                        imported |= {one.name.partition(".")[0] for one in node.names}
                    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                        imported.add(node.module.partition(".")[0])
        foreign = imported - sys.stdlib_module_names - {"argus_sdk"}
        assert foreign
        assert foreign == declared & foreign, "an import without a declaration"
        assert declared <= foreign, "a declaration without an import"


def test_change_log_begins_with_the_version_of_the_package(built: Built) -> None:
    version = built.wheel.name.split("-")[1]
    assert f"\n## {version}\n" in (PROJECT / "CHANGELOG.md").read_text()


@pytest.mark.contract("C-234", "C-235")
def test_installed_wheel_passes_the_stories(installed: Path, tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = [{"call": story["call"]} for story in STORIES["webhooks"]]
    calls += [
        {
            "call": {
                "do": "verify_provenance",
                "transcript": str(FOLDER / "transcripts" / name),
                "keys": str(FOLDER / "keys.json"),
                **WHOSE,
            }
        }
        for name in EXPECTED
    ]
    # A tool that needs no repository: the runner alone, in a folder of its own.
    runner = tmp_path / "runner.py"
    runner.write_text((Path(__file__).parent / "python_runner.py").read_text())
    with scripted_server() as server:
        story = next(one for one in STORIES["http"] if one["name"] == "get_is_retried_after_429")
        server.play(story["responses"])
        app = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        calls.append({"call": story["call"], "facts": {"auth_url": server.url, "api_url": server.url, **app}})
        lines = "".join(json.dumps(call) + "\n" for call in calls)
        done = subprocess.run(
            [str(installed), "-I", str(runner)], input=lines, capture_output=True, text=True, check=False, cwd=tmp_path
        )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for told, result in zip(
        (*STORIES["webhooks"], story), (*found[: len(STORIES["webhooks"])], found[-1]), strict=True
    ):
        check(told, result)
    verified = dict(zip(EXPECTED, found[len(STORIES["webhooks"]) : -1], strict=True))
    assert {name: one["result"]["broken_links"] for name, one in verified.items() if "hmac" not in name} == {
        name: one["broken_links"] for name, one in EXPECTED.items() if "hmac" not in name
    }
    assert verified["intact-hmac-sha256.json"]["result"]["outcome"] == "unverifiable"


def test_installed_program_verifies_a_transcript(installed: Path) -> None:
    program = installed.with_name("argus-verify")
    transcript = FOLDER / "transcripts" / "tampered-value.json"
    done = subprocess.run(
        [str(program), str(transcript), "--keys", str(FOLDER / "keys.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[0][:10]) == (1, "NOT INTACT"), done.stderr
