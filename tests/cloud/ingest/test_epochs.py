"""A replaced gateway starts a new epoch; two gateways that alternate are reported."""

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


def test_the_first_epoch_of_a_gateway_replaces_nothing():
    assert judged("A") == NewEpoch(replaces=None)


def test_the_epoch_that_runs_is_current():
    assert judged("A", known="A", current="A", after_us=10 * DRAIN_US) == CurrentEpoch()


def test_an_epoch_never_seen_replaces_the_current_one():
    assert judged("B", known="A", current="A") == NewEpoch(replaces="A")


def test_stragglers_of_the_old_epoch_are_ordinary_for_a_minute():
    assert judged("A", known="A B", current="B", after_us=DRAIN_US - 1) == CurrentEpoch()


def test_an_old_epoch_that_goes_on_means_two_gateways():
    assert judged("A", known="A B", current="B", after_us=DRAIN_US) == ReturnedEpoch(instead_of="B")


def test_history_of_an_ended_epoch_is_no_rival():
    assert judged("A", known="A B", current="B", after_us=9 * DRAIN_US, historical=True) == CurrentEpoch()


def test_history_of_an_unknown_epoch_does_not_replace_the_one_in_service():
    assert judged("A", known="B", current="B", historical=True) == EarlierEpoch()
    assert judged("A", historical=True) == NewEpoch(replaces=None), "nothing is in service yet"


def test_epoch_known_by_its_history_begins_with_its_first_live_batch():
    assert judged("A", known="A B", current="B", history_only="A", after_us=9 * DRAIN_US) == NewEpoch(replaces="B")
