"""The place of the project's shared material beside the checkout, for the tests that read real recordings and captures.

The material is not part of the project. A test that needs it calls this module, and is skipped with the reason where
the material is absent. `ARGUS_SHARED` names another place.
"""

import os
from pathlib import Path

import pytest


def shared_path(relative: str) -> Path:
    """Return the file or folder under the shared material; skip the test where it is absent."""
    path = shared_file(relative)
    if path is None:
        pytest.skip(f"shared material is absent: {relative}")
    return path


def shared_file(relative: str) -> Path | None:
    """Return the file or folder under the shared material, None where it is absent."""
    root = Path(os.environ.get("ARGUS_SHARED") or Path(__file__).resolve().parents[3] / "shared")
    path = root / relative
    return path if path.exists() else None
