"""Domain events of ingest, each emitted in the transaction of its change. Keyed by gateway, so that the events of a
gateway are delivered in order.

No payload contains patient data: it names the position in the chain of custody. The events are for operators, so they
are not public.
"""

from cloud.foundation.events import EventType, count, text, word

EPOCH_STARTED = "gateway.epoch_started"
IDENTITY_CONTESTED = "gateway.identity_contested"
CHAIN_BROKEN = "custody.chain_broken"
BATCH_FORGED = "custody.batch_forged"
BATCH_UNREADABLE = "custody.batch_unreadable"
BATCH_SET_ASIDE = "ingest.batch_set_aside"
QUOTA_REACHED = "ingest.quota_reached"
QUOTA_ENDED = "ingest.quota_ended"
MISSING = "ingest.missing"

HELD_BACK = "parked"
"""Value of `quota` when the parked bytes have reached their limit, so that the gateway keeps further batches."""

_GATEWAY = {"gateway_id": text("The gateway, gw_….")}
_EPOCH = {"epoch": text("The epoch of its store.")}
_BATCH = {
    **_GATEWAY,
    **_EPOCH,
    "lane": text("The lane of the batch."),
    "sequence": count("The batch's number in its lane."),
}

EVENTS = (
    EventType(
        name=EPOCH_STARTED,
        description="A gateway's store was recreated.",
        fields={**_GATEWAY, **_EPOCH, "replaces": text("The epoch before; null: its first.", absent=True)},
    ),
    EventType(
        name=IDENTITY_CONTESTED,
        description="Two boxes sign with one identity. Emitted once a lane and once an epoch, whether the "
        "cloud or the gateway sees it. The remedy is to provision one of them under a new id; the data of both is "
        "stored, quarantined or still in its own buffer.",
        fields={
            **_BATCH,
            "instead_of": text("The epoch that had begun since."),
            "seen_by": text('"gateway" if the gateway found another history than its own in an acknowledgement.'),
        },
        not_always=frozenset({"lane", "sequence", "instead_of", "seen_by"}),
    ),
    EventType(
        name=CHAIN_BROKEN,
        description="A batch does not follow the one before it.",
        fields=_BATCH,
    ),
    EventType(
        name=BATCH_FORGED,
        description="A batch under a registered name was signed by another key; once for the same bytes.",
        fields={**_GATEWAY, "lane": text("The lane of the batch.")},
    ),
    EventType(
        name=BATCH_UNREADABLE,
        description="An authentic batch is stored, but could not be decoded.",
        fields={**_BATCH, "reason": text("The rule that it breaks.")},
    ),
    EventType(
        name=BATCH_SET_ASIDE,
        description="An authentic batch is stored without rows, because it exceeds a limit or took too long to write.",
        fields={
            **_BATCH,
            "why": word("Kind of the reason.", ("over_limit", "too_slow")),
            "reason": text("The rule that it breaks."),
        },
    ),
    EventType(
        name=QUOTA_REACHED,
        description="A gateway exceeds a quota. Its batches are stored and acknowledged, and become readable when the "
        "quota allows it. `parked`: the limit of parked bytes is reached, so the gateway keeps further batches. "
        "`epochs`: it begins new epochs too often, so it keeps the batches of a further epoch.",
        fields={**_GATEWAY, "quota": word("The quota.", ("rows", "bytes", "devices", "epochs", HELD_BACK))},
    ),
    EventType(
        name=QUOTA_ENDED,
        description="All parked batches of a gateway are readable now.",
        fields=_GATEWAY,
    ),
    EventType(
        name=MISSING,
        description="A gateway published batches, the broker confirmed them, and they never arrived. Emitted once a "
        "lane until all of them have arrived. Another client may consume them from the broker.",
        fields={
            **_GATEWAY,
            **_EPOCH,
            "lane": text("The lane of the batches."),
            "first_sequence": count("First missing sequence."),
            "last_sequence": count("Last missing sequence."),
            "batches": count("Number of missing batches."),
        },
    ),
)
