-- take --
-- A row that was found, once. A gap record replaced whatever else was written at its place; of two the longer is newer.
-- A batch that grew was written several times; the one with more observations is newer.
INSERT INTO batches (position, through, kind, count, created_at_us, kept_us, observations_total, bytes_total, boot_id,
                     previous_hash, row_hash, nonce, sealed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (position) DO UPDATE SET
    through = excluded.through, kind = excluded.kind, count = excluded.count, created_at_us = excluded.created_at_us,
    kept_us = excluded.kept_us, observations_total = excluded.observations_total, bytes_total = excluded.bytes_total,
    boot_id = excluded.boot_id, previous_hash = excluded.previous_hash, row_hash = excluded.row_hash,
    nonce = excluded.nonce, sealed = excluded.sealed
WHERE (excluded.kind = 4 AND (batches.kind <> 4 OR excluded.through > batches.through))
    OR (excluded.kind <> 4 AND batches.kind <> 4 AND excluded.count > batches.count);

-- lane --
-- What was found of a lane, in order, without the payloads.
SELECT position, through, kind, count, created_at_us, observations_total, bytes_total, length(sealed), previous_hash,
       row_hash
FROM batches WHERE position BETWEEN ? AND ? ORDER BY position;

-- drop --
-- An old copy of a batch that a gap record stands for.
DELETE FROM batches WHERE position = ?;
