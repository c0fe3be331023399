-- oldest_rows --
-- The oldest rows of a lane up to a sequence, without their payload: candidates for dropping.
SELECT position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total, boot_id, previous_hash,
       row_hash
FROM batches WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?;

-- delete_rows --
-- Drop what a gap record now stands in for. Page reuse follows; the file shrinks only on a full disk.
DELETE FROM batches WHERE position BETWEEN ? AND ?;

-- put_quarantine --
-- A block that could not be opened, as found.
INSERT INTO quarantine (position, found_us, reason, nonce, sealed) VALUES (?, ?, ?, ?, ?);

-- trim_quarantine --
-- The newest blocks are kept; an unreadable disk must not fill the store with its own rubble.
DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?;

-- quarantine_count --
-- How many blocks are set aside.
SELECT count(*) FROM quarantine;
