"""The published deprecation matrix lists what the routes declare (their headers: `tests/cloud/http`)."""

from datetime import date
from typing import Any

import pytest

from cloud.partners.discovery.deprecations import deprecation_matrix
from tests.builders.contract_rows import PRODUCTION, row

API = "https://api.knogin.com"
OLD: dict[str, Any] = {"deprecated_on": date(2026, 6, 1), "sunset_on": date(2027, 1, 1), "successor": "/v1/jobs"}


@pytest.mark.contract("C-273", "A-143")
def test_matrix_lists_each_deprecated_operation_of_the_public_contract() -> None:
    rows = (
        row(),
        row(path="/api/v1/old", **OLD),
        row(path="/api/v1/dated", deprecated_on=date(2026, 7, 1)),
        row(path="/internal/old", in_contract=False, **OLD),
    )
    assert deprecation_matrix(rows, PRODUCTION)["deprecations"] == [
        {
            "operation": "GET /api/v1/dated",
            "hosts": [API],
            "deprecated_at": "2026-07-01T00:00:00.000000Z",
            "sunset_at": None,
            "successor": None,
        },
        {
            "operation": "GET /api/v1/old",
            "hosts": [API],
            "deprecated_at": "2026-06-01T00:00:00.000000Z",
            "sunset_at": "2027-01-01T00:00:00.000000Z",
            "successor": f"{API}/v1/jobs",
        },
    ]
