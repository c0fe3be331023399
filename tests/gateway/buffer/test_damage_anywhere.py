"""After bytes of its store were changed, the gateway continues to record, and it accounts for every batch.

A seed chooses the places of the changed bytes.
"""

import asyncio
from pathlib import Path

import pytest

from tests.harness.damaged_gateway_store import KINDS, Pristine, account_of, harm, pristine

SEEDS = 5
"""Number of damaged places: fifty on each of the ten kinds of page."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Pristine:
    return asyncio.run(pristine(tmp_path_factory.mktemp("pristine")))


@pytest.mark.finding("reliability-A1")
@pytest.mark.finding("reliability-A2")
@pytest.mark.finding("edge-C1")
@pytest.mark.parametrize("kind", KINDS)
async def test_damaged_store_file_loses_only_the_affected_records_and_every_loss_is_reported(
    store: Pristine, tmp_path: Path, kind: str
) -> None:
    for seed in range(SEEDS):
        folder = tmp_path / str(seed)
        account = await account_of(store, folder, harm(store, folder, kind, seed))
        print(account.harm, f"-> set aside {account.set_aside}, lost {account.lost}")
        assert account.still_records, account
        assert account.missing == 0, account
        assert account.records == account.set_aside <= 1, account
        assert account.doctor or not (account.set_aside or account.lost), account
        if kind in ("free", "schema", "index", "small table", "interior"):
            assert account.lost == 0, account
        else:
            assert account.lost <= 40, account
