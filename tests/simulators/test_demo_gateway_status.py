"""The demo waits for new data of its devices at the start, and for all data at the end."""

from typing import Any

import pytest

from simulators.demo.gateway_status import CommittedBatches, has_delivered_all, has_new_data


def status(
    *, epoch: str = "epoch-a", acked: int = 7, last: int = 7, state: str = "ok", unsent_stores: int | None = 0
) -> dict[str, Any]:
    """Return what a gateway with one lane states."""
    lane = {"last": last, "acked": acked, "backlog_batches": last - acked, "backlog_observations": 0}
    return {"epoch": epoch, "lanes": {"numeric": lane}, "store": {"state": state, "unsent_stores": unsent_stores}}


@pytest.mark.parametrize(
    ("later", "is_new"),
    [
        (status(acked=7, last=9), False),
        (status(acked=9, last=9), False),
        (status(acked=10, last=10), True),
        (status(epoch="epoch-b", acked=0, last=1), False),
        (status(epoch="epoch-b", acked=1, last=1), True),
    ],
)
def test_batches_of_an_earlier_run_are_no_new_data(later: dict[str, Any], is_new: bool) -> None:
    assert has_new_data(later, CommittedBatches.of(status(acked=5, last=9))) is is_new


def test_any_acknowledged_batch_is_new_to_a_demo_that_found_no_gateway() -> None:
    assert has_new_data(status(), CommittedBatches.of(None))


@pytest.mark.parametrize(
    ("present", "is_all"),
    [
        (status(), True),
        (status(acked=6), False),
        (status(state="full"), False),
        (status(unsent_stores=1), False),
        (status(unsent_stores=None), False),
    ],
)
def test_stores_that_are_not_sent_are_not_delivered(present: dict[str, Any], is_all: bool) -> None:
    assert has_delivered_all(present) is is_all
