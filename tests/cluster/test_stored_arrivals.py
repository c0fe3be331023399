"""The stories of the cluster find a batch that is missing, stored twice, or stored before an earlier one."""

import pytest

from tests.cluster.stored_arrivals import Flow, StoredArrivals

LIVE = Flow("gw_1", "numeric", "epoch-a", historical=False)
BACKLOG = LIVE._replace(historical=True)


def test_batches_in_rows_and_objects_are_one_lane() -> None:
    StoredArrivals(
        rows={LIVE: {1: 100, 4: 400}, BACKLOG: {2: 600}}, packed={LIVE: {3: 400}}
    ).assert_whole_and_in_order()


@pytest.mark.parametrize(
    ("rows", "packed", "found"),
    [
        ({LIVE: {1: 100}}, {LIVE: {3: 300}}, "missing or stored twice"),
        ({LIVE: {1: 100, 2: 200}}, {LIVE: {2: 200}}, "missing or stored twice"),
        ({LIVE: {1: 100, 2: 200}}, {BACKLOG: {2: 900}}, "missing or stored twice"),
        ({LIVE: {1: 100, 2: 301}}, {LIVE: {3: 300}}, "'3 before 2'"),
    ],
    ids=["missing", "twice", "twice-by-backlog", "swapped"],
)
def test_batch_that_is_lost_doubled_or_swapped_is_found(
    rows: dict[Flow, dict[int, int]], packed: dict[Flow, dict[int, int]], found: str
) -> None:
    with pytest.raises(AssertionError, match=found):
        StoredArrivals(rows, packed).assert_whole_and_in_order()
