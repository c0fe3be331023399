"""Settings of the store, with units and the reason for each default.

The values come from the settings file, which `gateway/settings.py` reads.
"""

from dataclasses import dataclass

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferSettings:
    """Retention, disk space, and the grouping of appends into commits and batches."""

    retention_s: float = 72 * HOUR_S
    """Time for which a batch is kept after its acknowledgement, so that it can be replayed to a cloud that was restored
    from an older copy (D3). It is measured in the running time of the store (`StoreTime`), which no jump of the wall
    clock moves. Unacknowledged batches do not expire: the store also serves an ambulance that was offline for four
    days."""

    open_records_s: float = 30 * 24 * HOUR_S
    """Time for which all batches of a care record are kept until it is sealed, counted from its first one in the
    running time of the store. A crew signs at the end of a shift; a month is for the one that is forgotten."""

    disk_budget_bytes: int = 4 << 30
    """Disk space that the store may use. 12-lead ECG, pleth and capnogram take about 1.5 GiB in 72 h. Beyond the
    budget, batches are dropped in the order of D2."""

    reserve_bytes: int = 8 << 20
    """Disk space that is reserved for events, ePCR and gap records when the disk is full. It exceeds the size of
    SQLite's log (4 MiB), because the log must first be written back to the file; after that its space is reused."""

    file_bytes_max: int | None = None
    """Size of the database file from which the disk counts as full, excluding the reserve. None: only the disk limits
    it. For a disk that is shared with programs that must not run out of space."""

    batch_s: float = 1.0
    """Time for which a batch of numerics or waveforms takes observations, counted from its first one. Then it is cut:
    it can be sent. It is also the longest time for which live observations that no device keeps are only in memory, so
    it is what a power cut can cost. One second makes about three messages a second of a vehicle, and keeps live values
    within 1.3 s of the cloud. Events are never delayed. 0: each commit cuts."""

    commit_interval_s: float = 0.02
    """Time from an append whose caller waits to its commit while little is queued, so that the appends of other devices
    share the commit: at most fifty commits a second, because each one costs a flush of the disk and at least one page
    of it. Events and alarms do not wait for it."""

    group_observations_min: int = 256
    """Number of pending observations that causes a commit before the interval ends."""

    group_observations_max: int = 16_384
    """Number of pending observations at which a commit takes no further appends, which bounds the delay of the first.
    """

    block_observations_max: int = 4_096
    """Maximum number of observations in one batch of the uplink."""

    block_samples_bytes_max: int = 256 * 1024
    """Maximum number of sample bytes in one batch. A batch must fit into a packet of the broker (1 MiB) even if it does
    not compress."""

    queue_observations_max: int = 65_536
    """Maximum number of observations queued for the writer. Further appends block until there is room: this is the
    backpressure on the devices' links."""

    gap_span_s: float = HOUR_S
    """Adjacent gaps are merged into one record that spans at most this time, so that the record still shows when data
    was dropped."""

    gaps_max: int = 256
    """Maximum number of gap records in a lane. Beyond it, the oldest adjacent ones are merged whatever they span."""

    tidy_interval_s: float = 5.0
    """Interval of the steps of retention, and of recovery from a full disk."""

    check_s: float = 2.0
    """Time limit of the check for structural damage when the store is opened. A store too large for it is checked as
    far as the time allows."""
