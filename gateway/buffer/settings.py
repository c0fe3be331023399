"""Settings of the store, with units and the reason for each default.

Does not read files or the environment: `gateway/settings.py` does and passes the values.
"""

from dataclasses import dataclass

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferSettings:
    """Retention, budget, and the grouping of commits."""

    retention_s: float = 72 * HOUR_S
    """Time that a batch stays after its acknowledgement, so that a cloud restored from an older copy can be
    replayed to (D3). Counted in the time the store knows has passed (`StoreTime`), never by a jump of the wall clock.
    What the cloud has not acknowledged does not age: an ambulance that stood in a garage for four days is what the
    store is for."""

    disk_budget_bytes: int = 4 << 30
    """The disk space that the store may use. 12-lead ECG, pleth and capnogram take about 2 GiB in 72 h. Beyond it, D2's
    drop order."""

    reserve_bytes: int = 8 << 20
    """Disk space held back for events, ePCR and gap records when the disk is full. More than the log may take (4
    MiB): the first thing that needs room then is writing the log back, after which it is used over and over."""

    file_bytes_max: int | None = None
    """A ceiling for the database file, above which the disk counts as full; None: only the disk itself limits. The
    reserve lies above the ceiling. For a disk that is shared with something that must not starve."""

    commit_interval_s: float = 0.02
    """The shortest interval between commits while little is queued. The first append after a pause commits at
    once; a steady trickle then shares commits, and batches, fifty times a second at most: each costs a flush of the
    disk, an envelope and two MQTT messages. Half of it is the mean delay it adds, against 500 ms that are allowed."""

    group_observations_min: int = 256
    """Number of pending observations that causes a commit before the interval ends."""

    group_observations_max: int = 16_384
    """The most that one commit takes, so that its age stays bounded too."""

    block_observations_max: int = 4_096
    """The most observations in one batch of the uplink."""

    block_samples_bytes_max: int = 256 * 1024
    """The most sample bytes in one batch; a batch must fit the broker's packet (1 MiB) also when it does not
    compress."""

    queue_observations_max: int = 65_536
    """Observations queued for the writer before an append itself waits: backpressure reaches the devices' links."""

    gap_span_s: float = HOUR_S
    """Neighbouring drops become one gap record while it spans no more than this, so that a reader still sees when."""

    gaps_max: int = 256
    """Gap records kept in a lane; beyond it the oldest neighbours become one whatever they span."""

    tidy_interval_s: float = 5.0
    """Interval of retention and of recovery from a full disk while nothing is appended."""

    check_s: float = 2.0
    """Time that opening may take to look for structural damage. A store too large for that is read as far as time
    allows."""
