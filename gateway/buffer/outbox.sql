-- insert_batch --
-- The one statement of the hot path: a new row at the end of its lane.
INSERT INTO batches (position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total, boot_id,
                     previous_hash, row_hash, nonce, sealed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- replace_batch --
-- A gap record that grows or replaces a batch, or an open batch that grows, at the same position.
INSERT OR REPLACE INTO batches (position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total,
                                boot_id, previous_hash, row_hash, nonce, sealed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- rows_from --
-- Rows of a lane in the order in which the cloud checks the chain.
SELECT position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total, boot_id, previous_hash,
       row_hash, nonce, sealed
FROM batches WHERE position BETWEEN ? AND ? ORDER BY position;

-- row_covering --
-- The last row at or before a position: the batch itself, or the gap record that stands in for it.
SELECT position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total, boot_id, previous_hash,
       row_hash, nonce, sealed
FROM batches WHERE position BETWEEN ? AND ? ORDER BY position DESC LIMIT 1;

-- row_before_time --
-- The last row that was committed before a time. It is searched from the end, so that a call of hours costs no more.
SELECT position, through FROM batches WHERE position BETWEEN ? AND ? AND created_at_us < ?
ORDER BY position DESC LIMIT 1;

-- row_kept_before --
-- The same by the store's running time, which no step of the wall clock moves.
SELECT position, through FROM batches WHERE position BETWEEN ? AND ? AND kept_us < ?
ORDER BY position DESC LIMIT 1;

-- totals_at --
-- The totals of the row that covers a position, for the backlog behind the cloud's mark.
SELECT observations_total, bytes_total FROM batches WHERE position BETWEEN ? AND ? ORDER BY position DESC LIMIT 1;

-- previous_hash_after --
-- What the next row says was before it: sealed with that row, so it can be trusted when the row before it is damaged.
SELECT position, previous_hash FROM batches WHERE position BETWEEN ? AND ? ORDER BY position LIMIT 1;

-- first_batch --
-- The oldest batch that is more than a gap record.
SELECT position FROM batches WHERE position BETWEEN ? AND ? AND kind <> 4 ORDER BY position LIMIT 1;

-- bytes_before --
-- What the rows before the oldest kept batch amounted to; the difference to the end is what the lane holds.
SELECT bytes_total FROM batches WHERE position BETWEEN ? AND ? AND kind = 4 ORDER BY position DESC LIMIT 1;

-- gap_rows --
-- All gap records of a lane, oldest first. They are few (settings.gaps_max), but lie among many batches.
SELECT position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total, boot_id, previous_hash,
       row_hash, nonce, sealed
FROM batches INDEXED BY gaps_by_position WHERE kind = 4 AND position BETWEEN ? AND ? ORDER BY position;

-- acked_marks --
-- How far the cloud has answered, for each lane that it has answered in.
SELECT lane, acked FROM lanes;

-- put_acked --
-- Written with the next commit: a mark that is lost only makes the gateway send again what the cloud knows.
INSERT INTO lanes (lane, acked) VALUES (?, ?) ON CONFLICT (lane) DO UPDATE SET acked = excluded.acked;

-- repair_hash --
-- The chain hash of the last batch of a lane, computed again from its sealed content.
UPDATE batches SET row_hash = ? WHERE position = ?;

-- gap_count --
-- How many gap records a lane has.
SELECT count(*) FROM batches INDEXED BY gaps_by_position WHERE kind = 4 AND position BETWEEN ? AND ?;
