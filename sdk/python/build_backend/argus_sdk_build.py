"""Build the SDK: setuptools, after a copy of the modules that the SDK shares with the cloud.

The check of a transcript is one implementation, in `protocols/provenance`, for cloud, gateway and SDK. A wheel cannot
contain a package with a name as general as `protocols`, which could be another distribution's. So a build copies the
modules that the SDK imports to `argus_sdk/_protocols`, and renames the package in the import statements; nothing else
of the text changes. The source distribution has the copy, so a wheel is built from it without the repository.

Only imports of the form `from protocols.… import …` are renamed; another form is an error.
"""

import ast
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from setuptools import build_meta

PACKAGE = "protocols"
COPY = "argus_sdk._protocols"
_HERE = Path.cwd()  # A frontend runs the hooks in the folder of pyproject.toml (PEP 517).
_REPOSITORY = _HERE.parents[1] if len(_HERE.parents) > 1 else _HERE
_PROJECT_FILES = ("pyproject.toml", "README.md", "CHANGELOG.md")
_IMPORT = re.compile(rf"^(\s*from ){PACKAGE}(?=[. ])", re.MULTILINE)

get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
get_requires_for_build_wheel = build_meta.get_requires_for_build_wheel
# For work in the repository, where `protocols` is installed beside it.
get_requires_for_build_editable = build_meta.get_requires_for_build_editable
build_editable = build_meta.build_editable


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Build the wheel, as PEP 517 defines."""
    return _build(build_meta.build_wheel, wheel_directory, config_settings)


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build the source distribution, as PEP 517 defines."""
    return _build(build_meta.build_sdist, sdist_directory, config_settings)


def _build(build: Callable[..., str], folder: str, config_settings: Any) -> str:
    target = str(Path(folder).resolve())
    if (_HERE / "src" / "argus_sdk" / "_protocols").is_dir():  # a source distribution
        return build(target, config_settings)
    with _staged() as project, chdir(project):
        return build(target, config_settings)


@contextmanager
def _staged() -> Iterator[Path]:
    """Copy the project and the shared modules to a folder; remove it after the block."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "argus-sdk"
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(_HERE / "src", project / "src", ignore=ignored)
        shutil.copytree(_HERE / "build_backend", project / "build_backend", ignore=ignored)
        (project / "MANIFEST.in").write_text("include CHANGELOG.md\nrecursive-include build_backend *.py\n")
        for file in _PROJECT_FILES:
            shutil.copy(_HERE / file, project)
        _copy_shared(project / "src" / "argus_sdk")
        yield project


def _copy_shared(package: Path) -> None:
    """Copy the shared modules that the SDK imports, directly or through another one, and rename their package."""
    pending = {module for file in package.rglob("*.py") for module in _imported(file.read_text())}
    copied: set[str] = set()
    while pending:
        module = pending.pop()
        source = _REPOSITORY / Path(*module.split("."))
        source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
        target = package / "_protocols" / source.relative_to(_REPOSITORY / PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text()
        target.write_text(text)
        copied.add(module)
        pending |= (_imported(text) | {module.rpartition(".")[0]} - {""}) - copied
    for file in package.rglob("*.py"):
        file.write_text(_IMPORT.sub(rf"\g<1>{COPY}", file.read_text()))


def _imported(text: str) -> set[str]:
    """Return the shared modules that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import) and any(one.name.split(".")[0] == PACKAGE for one in node.names):
            raise ValueError(f"write `from {PACKAGE}.… import …`: {ast.unparse(node)}")
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.split(".")[0] == PACKAGE:
            found.add(node.module)
            # `from protocols.provenance import merkle` imports a module of the package.
            found |= {
                f"{node.module}.{one.name}"
                for one in node.names
                if (_REPOSITORY / Path(*node.module.split("."), f"{one.name}.py")).is_file()
            }
    return found
