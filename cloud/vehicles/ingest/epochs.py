"""Judge the epoch of an authentic batch. An epoch is one life of a gateway's store.

A new epoch means that the gateway was replaced or newly provisioned. A former epoch that continues means that two boxes
sign with one key. But for a short while after a new epoch began, batches of a former one are accepted, because they may
still have been in the broker. A gateway with a damaged store sends the recovered batches under the former epoch, marked
as historical. A second box would send its measurements as live.

Every epoch has its own lanes and sequence numbers, so the batches of both boxes are stored, and nothing is lost.
"""

from cloud.vehicles.ingest.verdicts import CurrentEpoch, EarlierEpoch, EpochVerdict, NewEpoch, ReturnedEpoch

DRAIN_US = 60_000_000
"""Time after a new epoch began in which batches of the former epoch are ordinary. A broker empties its queue in
seconds, but a second box sends for as long as it runs."""


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
    """Return the verdict on the epoch (life of the gateway's store) of a batch. `known` are the gateway's epochs.
    `current` is the epoch that began last, at `current_since_us` by the cloud's clock; None for a gateway without
    epochs. `history_only` are the epochs of which only historical batches have arrived. `historical`: the batch is
    marked as not live."""
    if epoch == current:
        return CurrentEpoch()
    if historical and current is not None:
        return CurrentEpoch() if epoch in known else EarlierEpoch()
    if epoch not in known or epoch in history_only:
        return NewEpoch(replaces=current)
    if now_us - current_since_us < DRAIN_US or current is None:
        return CurrentEpoch()
    return ReturnedEpoch(instead_of=current)
