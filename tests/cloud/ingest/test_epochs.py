"""A replaced gateway starts a new epoch (one life of a gateway's store); two gateways that alternate are reported."""

from cloud.vehicles.ingest.epochs import DRAIN_US, judge_epoch
from cloud.vehicles.ingest.verdicts import CurrentEpoch, EarlierEpoch, EpochVerdict, NewEpoch, ReturnedEpoch

BEGAN_US = 1_000_000_000


def judged(
    epoch: str,
    *,
    known: str = "",
    current: str | None = None,
    after_us: int = 0,
    historical: bool = False,
    history_only: str = "",
) -> EpochVerdict:
    return judge_epoch(
        epoch,
        known=frozenset(known.split()),
        current=current,
        current_since_us=BEGAN_US,
        now_us=BEGAN_US + after_us,
        historical=historical,
        history_only=frozenset(history_only.split()),
    )


def test_first_epoch_of_a_gateway_replaces_no_other_epoch():
    assert judged("A") == NewEpoch(replaces=None)


def test_epoch_stays_current_until_another_epoch_replaces_it():
    assert judged("A", known="A", current="A", after_us=10 * DRAIN_US) == CurrentEpoch()


def test_live_batch_of_an_unknown_epoch_replaces_the_current_epoch():
    assert judged("B", known="A", current="A") == NewEpoch(replaces="A")


def test_live_batch_of_a_replaced_epoch_is_accepted_for_one_minute_after_the_replacement():
    assert judged("A", known="A B", current="B", after_us=DRAIN_US - 1) == CurrentEpoch()


def test_live_batch_of_an_epoch_replaced_a_minute_ago_or_earlier_indicates_a_second_gateway():
    assert judged("A", known="A B", current="B", after_us=DRAIN_US) == ReturnedEpoch(instead_of="B")


def test_historical_batch_of_a_replaced_epoch_does_not_indicate_a_second_gateway():
    assert judged("A", known="A B", current="B", after_us=9 * DRAIN_US, historical=True) == CurrentEpoch()


def test_historical_batch_of_an_unknown_epoch_does_not_replace_the_current_epoch():
    assert judged("A", known="B", current="B", historical=True) == EarlierEpoch()
    assert judged("A", historical=True) == NewEpoch(replaces=None), "nothing is in service yet"


def test_epoch_known_by_its_historical_batches_becomes_current_with_its_first_live_batch():
    assert judged("A", known="A B", current="B", history_only="A", after_us=9 * DRAIN_US) == NewEpoch(replaces="B")
