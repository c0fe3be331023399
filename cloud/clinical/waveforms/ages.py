"""Ages of objects at which they are packed again, given up or removed."""

ORPHAN_US = 24 * 3_600_000_000
"""Age at which an object without a row is an orphan. It leaves a day to look at what a crash left."""
REPACK_US = 3_600_000_000
"""Age at which ingest packs a group again that it could not write, for instance since the database was away. Far below
`ORPHAN_US`, so clocks of two machines may differ by hours."""
ANNOUNCED_US = 2 * REPACK_US
"""Age at which an announced object that has no runs is given up. Its process then adopts it no more, whatever the
clocks of two machines are: both are changes of its row."""
READERS_US = 300_000_000
"""Time for which an object stays after its last run was taken out of the index: a reader takes a page of runs from the
index and then their envelopes, within seconds."""
