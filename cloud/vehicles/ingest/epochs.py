"""Decides what the epoch of an authentic batch says about its gateway.

An epoch is minted when a store is created, so a new one means a replaced or newly provisioned box, and one that
returns after it was succeeded means that two boxes sign with one key. Batches of the old epoch that were still in the
broker when the new one began are no rivals, so a short while after the change they are ordinary.

A gateway that set a damaged store aside sends what it recovers of it under the epoch that has ended, and marks it as
history. That is no rival: a second box in service measures, and sends what it measures as live.

Every epoch has its own lanes and sequences: whichever box wrote a batch, it is stored under its own epoch and nothing
is lost.
"""

from cloud.vehicles.ingest.verdicts import CurrentEpoch, EarlierEpoch, EpochVerdict, NewEpoch, ReturnedEpoch

DRAIN_US = 60_000_000
"""How long after a new epoch began batches of the one before are taken for stragglers: a broker drains its queue in
seconds, and a rival box repeats itself for as long as it runs."""


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
    """`known` are the epochs that the gateway was seen with, `current` the one that began last, at `current_since_us`
    by the cloud's clock. `historical`: the gateway sends only history of this epoch now; `history_only`: so far nothing
    else of these has arrived."""
    if epoch == current:
        return CurrentEpoch()
    if historical and current is not None:
        return CurrentEpoch() if epoch in known else EarlierEpoch()
    if epoch not in known or epoch in history_only:
        return NewEpoch(replaces=current)
    if now_us - current_since_us < DRAIN_US or current is None:
        return CurrentEpoch()
    return ReturnedEpoch(instead_of=current)
