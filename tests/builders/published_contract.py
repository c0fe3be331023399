"""The OpenAPI document of all slices with the public addresses of the contract, which the SDKs are generated from."""

import tempfile
from pathlib import Path
from typing import Any

import cloud.slices  # noqa: F401  the scopes are derived from the slices
from cloud.access.apps import CATALOGUE
from cloud.foundation.clock import SystemClock
from cloud.foundation.ids import UlidIds
from cloud.partners.discovery import contract_document
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.builders.cloud_settings import settings_file
from tests.builders.contract_rows import PRODUCTION


def published_contract() -> dict[str, Any]:
    """Return the document. It needs no database, and takes a second."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(read_settings(settings_file(Path(folder))), clock, UlidIds(clock))
    return contract_document(rows, PRODUCTION, {scope.name: scope.description for scope in CATALOGUE})
