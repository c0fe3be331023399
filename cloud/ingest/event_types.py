"""The domain events that ingest emits, each in the transaction of what it tells of. Keys order them: one gateway, one
line.

No payload holds patient data: they say where in the chain to look. They stay inside: what they warn of is the
operator's to mend.
"""

from cloud.events import EventType
from cloud.events.event_type import count, text

EPOCH_STARTED = "gateway.epoch_started"
IDENTITY_CONTESTED = "gateway.identity_contested"
CHAIN_BROKEN = "custody.chain_broken"
BATCH_FORGED = "custody.batch_forged"
BATCH_UNREADABLE = "custody.batch_unreadable"

_GATEWAY = {"gateway_id": text("The gateway, gw_….")}
_EPOCH = {"epoch": text("The life of its store that is meant.")}
_BATCH = {
    **_GATEWAY,
    **_EPOCH,
    "lane": text("The lane of the batch."),
    "sequence": count("The batch's number in its lane."),
}
_OF_BATCH = {"gateway_id": "gw_1", "epoch": "epoch-b", "lane": "numeric", "sequence": 17}

EVENTS = (
    EventType(
        name=EPOCH_STARTED,
        description="A gateway's store was created anew.",
        fields={**_GATEWAY, **_EPOCH, "replaces": text("The epoch before; null: its first.", absent=True)},
        sample={"gateway_id": "gw_1", "epoch": "epoch-b", "replaces": "epoch-a"},
    ),
    EventType(
        name=IDENTITY_CONTESTED,
        description="Two boxes sign with one identity. Emitted once a lane, once an epoch, and once each time a "
        "gateway begins to say so. The remedy is to provision one of them anew; what either has measured is stored, "
        "quarantined or still in its own buffer.",
        fields={
            **_BATCH,
            "instead_of": text("The epoch that had begun since."),
            "seen_by": text('"gateway" when it found another history than its own in our answer.'),
        },
        sample=_OF_BATCH,
        not_always=frozenset({"lane", "sequence", "instead_of", "seen_by"}),
    ),
    EventType(
        name=CHAIN_BROKEN,
        description="A batch does not follow the one before it.",
        fields=_BATCH,
        sample=_OF_BATCH,
    ),
    EventType(
        name=BATCH_FORGED,
        description="A batch under a registered name was signed by another key; once for the same octets.",
        fields={**_GATEWAY, "lane": text("The lane that it came by.")},
        sample={"gateway_id": "gw_1", "lane": "numeric"},
    ),
    EventType(
        name=BATCH_UNREADABLE,
        description="An authentic batch is kept, but could not be unpacked.",
        fields={**_BATCH, "reason": text("The rule that it breaks.")},
        sample={**_OF_BATCH, "reason": "the block has no section"},
    ),
)
