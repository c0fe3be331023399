"""Paths of the project's shared material, real recordings and captures, for the tests that read them.

The material is a folder beside the checkout and not part of the project; `ARGUS_SHARED` names another folder. Where the
material is absent, a test that calls `shared_path` is skipped, in CI too, and the reason names what is not compared.
"""

import os
from pathlib import Path

import pytest


def shared_path(relative: str) -> Path:
    """Return the path of a shared file or folder; skip the test if it is absent."""
    path = shared_file(relative)
    if path is None:
        pytest.skip(f"shared material is absent, so nothing is compared with {_root() / relative}: set ARGUS_SHARED")
    return path


def shared_file(relative: str) -> Path | None:
    """Return the path of a shared file or folder, None if it is absent."""
    path = _root() / relative
    return path if path.exists() else None


def _root() -> Path:
    return Path(os.environ.get("ARGUS_SHARED") or Path(__file__).resolve().parents[3] / "shared")
