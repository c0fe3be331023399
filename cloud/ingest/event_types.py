"""The domain events that ingest emits, each in the transaction of what it tells of. Keys order them: one gateway, one
line.

No payload holds patient data: they say where in the chain to look.
"""

EPOCH_STARTED = "gateway.epoch_started"
"""A gateway's store was created anew. `epoch`, `replaces` (null: its first)."""

IDENTITY_CONTESTED = "gateway.identity_contested"
"""Two boxes sign with one identity. `epoch`, and either `lane` and `sequence` of the rival batch, or `instead_of`,
the epoch that had begun since, or `seen_by` "gateway", which found another history than its own in our answer. Emitted
once a lane, once an epoch, and once each time a gateway begins to say so. The remedy is to provision one of them
anew; what either has measured is stored, quarantined or still in its own buffer."""

CHAIN_BROKEN = "custody.chain_broken"
"""A batch does not follow the one before it. `epoch`, `lane`, `sequence`."""

BATCH_FORGED = "custody.batch_forged"
"""A batch under a registered name was signed by another key. `lane`; once for the same octets."""

BATCH_UNREADABLE = "custody.batch_unreadable"
"""An authentic batch is kept, but could not be unpacked. `epoch`, `lane`, `sequence`, `reason`."""
