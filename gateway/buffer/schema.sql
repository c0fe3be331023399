-- The gateway's store, version 7. `migrations.py` says how older files become this; a test proves that both are the same.

-- One row. What this store is: whose, since when, and whether the key at hand is its key.
CREATE TABLE store (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    gateway       TEXT    NOT NULL,
    epoch         TEXT    NOT NULL,
    created_at_us INTEGER NOT NULL,
    key_check     BLOB    NOT NULL
) STRICT;

-- The outbox, which is also the memory: one row for each batch, or for each run of batches that a gap record stands in for.
-- `position` is lane × 2⁵⁶ + sequence: one B-tree without a second index, each lane contiguous in it and appended at its end.
-- The chain: each row's previous_hash is the row_hash of the row before it in its lane.
-- The totals count from the lane's beginning up to and with this row, so that a backlog is a difference and no scan.
CREATE TABLE batches (
    position           INTEGER PRIMARY KEY,
    through            INTEGER NOT NULL,   -- last sequence that this row covers; its own for a batch
    kind               INTEGER NOT NULL,   -- 1 observations, 2 event, 3 epcr, 4 gap
    count              INTEGER NOT NULL,   -- observations (or events) inside; of a gap: lost
    created_at_us      INTEGER NOT NULL,   -- wall clock at commit, as the gateway believed
    kept_us            INTEGER NOT NULL,   -- the store's own running time at commit (clock.py); retention counts by it
    observations_total INTEGER NOT NULL,
    bytes_total        INTEGER NOT NULL,
    boot_id            TEXT    NOT NULL,
    previous_hash      BLOB    NOT NULL,
    row_hash           BLOB    NOT NULL,
    nonce              BLOB    NOT NULL,
    sealed             BLOB    NOT NULL    -- last, so that reading the columns before it touches no overflow page
) STRICT;

-- The few gap records among the many batches. A partial index: ordinary batches cost it nothing.
CREATE INDEX gaps_by_position ON batches (position) WHERE kind = 4;

-- How far the cloud has answered for each lane without a hole.
CREATE TABLE lanes (
    lane  INTEGER PRIMARY KEY,
    acked INTEGER NOT NULL
) STRICT;

-- Blocks that could not be opened, as they were found, for an investigation.
CREATE TABLE quarantine (
    id       INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    found_us INTEGER NOT NULL,
    reason   TEXT    NOT NULL,
    nonce    BLOB,
    sealed   BLOB
) STRICT;

-- Every device that ever associated.
CREATE TABLE devices (
    system_id     TEXT    PRIMARY KEY,
    model         TEXT    NOT NULL,
    first_seen_us INTEGER NOT NULL,
    last_seen_us  INTEGER NOT NULL,
    link_class    TEXT    NOT NULL,   -- strongest by which it was known: unknown, tcp, paired, serial, bonded
    accepted_us   INTEGER             -- when an operator accepted a link that proves nothing; NULL before that
) STRICT, WITHOUT ROWID;

-- What was seen of each device, for its maker: sealed, because the octets of a deviation may be a patient's values.
CREATE TABLE device_reports (
    system_id  TEXT    PRIMARY KEY,
    written_us INTEGER NOT NULL,
    nonce      BLOB    NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Extended configurations, so that a device known from before need not send its own again (20601 §8.7).
CREATE TABLE configurations (
    system_id TEXT    NOT NULL,
    config_id INTEGER NOT NULL,
    octets    BLOB    NOT NULL,
    kept_us   INTEGER NOT NULL,
    PRIMARY KEY (system_id, config_id)
) STRICT, WITHOUT ROWID;

-- Small facts that outlive the process, such as the last wall time that was known to be right.
CREATE TABLE state (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How far the segments of devices' memories are fetched, written in the commit that holds their entries (20601 §7).
CREATE TABLE fetched_segments (
    system_id TEXT    NOT NULL,
    store     INTEGER NOT NULL,   -- handle of the PM-store
    segment   INTEGER NOT NULL,
    identity  BLOB    NOT NULL,   -- digest of what stays while the segment grows
    through   INTEGER NOT NULL,   -- entries from its beginning that are in the outbox
    state     BLOB    NOT NULL,   -- digest of the state in which all of it was fetched; empty while not
    kept_us   INTEGER NOT NULL,
    PRIMARY KEY (system_id, store, segment)
) STRICT, WITHOUT ROWID;

-- Bluetooth devices that a person has paired: the only ones that are ever connected to.
CREATE TABLE ble_devices (
    address   TEXT    PRIMARY KEY,   -- upper case, AA:BB:CC:DD:EE:FF
    name      TEXT    NOT NULL,      -- as it advertised when it was paired, printable; never trusted
    system_id TEXT    NOT NULL,      -- 16 hex digits; empty until it was first met
    bonded    INTEGER NOT NULL,      -- 1: paired with a bond, so it is used only while the bond stands
    services  TEXT    NOT NULL,      -- 16-bit UUIDs that we understand, four hex digits each, with spaces between
    paired_us INTEGER NOT NULL       -- the gateway's wall clock
) STRICT, WITHOUT ROWID;

-- How far record stores of Bluetooth devices are fetched, written in the commit that holds the records (RACP).
CREATE TABLE fetched_records (
    system_id TEXT    NOT NULL,
    service   INTEGER NOT NULL,   -- 16-bit UUID
    identity  BLOB    NOT NULL,   -- what the numbers count from (a CGM session's start); empty where they just go on
    through   INTEGER NOT NULL,   -- record number (or offset) up to which all are in the outbox
    kept_us   INTEGER NOT NULL,
    PRIMARY KEY (system_id, service)
) STRICT, WITHOUT ROWID;

-- Ids of stored field changes of care records, written in the commit that holds the changes, so that each is stored once.
CREATE TABLE care_changes (
    change_id   TEXT    PRIMARY KEY,
    fingerprint BLOB    NOT NULL,   -- keyed digest of what the client sent
    kept_us     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the log of each care record must have, kept longer than the log: one that lost its beginning is not sealed.
CREATE TABLE care_logs (
    log      BLOB    PRIMARY KEY,   -- keyed digest of the encounter's id
    first    INTEGER NOT NULL,      -- sequence of the batch with its first change
    changes  INTEGER NOT NULL,
    sealed   INTEGER NOT NULL,      -- 1: signed, so only addenda follow
    begun_us INTEGER NOT NULL,      -- the store's own running time, as kept_us
    kept_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
