"""Judge the epoch of an authentic batch.

An epoch is created with a store. So a new one means a replaced or newly provisioned box, and a former one that
continues means that two boxes sign with one key. Batches of the former epoch that were still in the broker when the new
one began are ordinary for a short while after the change.

A gateway that set a damaged store aside sends what it recovers from it under the former epoch, and marks it as history.
That is no second box: a second box in service measures, and sends its measurements as live.

Every epoch has its own lanes and sequences: a batch of either box is stored under its own epoch, and nothing is lost.
"""

from cloud.vehicles.ingest.verdicts import CurrentEpoch, EarlierEpoch, EpochVerdict, NewEpoch, ReturnedEpoch

DRAIN_US = 60_000_000
"""Time after the begin of a new epoch in which batches of the former one are ordinary: a broker drains its queue in
seconds, and a second box resends for as long as it runs.
"""


def judge_epoch(
    epoch: str,
    *,
    known: frozenset[str],
    current: str | None,
    current_since_us: int,
    now_us: int,
    historical: bool = False,
    history_only: frozenset[str] = frozenset(),
) -> EpochVerdict:
    """Judge an epoch.

    `known` are the epochs that the gateway was seen with; `current` is the one that began last, at `current_since_us`
    by the cloud's clock. `historical`: this batch is history. `history_only` are the epochs of which only history has
    arrived so far.
    """
    if epoch == current:
        return CurrentEpoch()
    if historical and current is not None:
        return CurrentEpoch() if epoch in known else EarlierEpoch()
    if epoch not in known or epoch in history_only:
        return NewEpoch(replaces=current)
    if now_us - current_since_us < DRAIN_US or current is None:
        return CurrentEpoch()
    return ReturnedEpoch(instead_of=current)
