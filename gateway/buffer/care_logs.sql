-- put_log --
-- The state of a care record's log after a commit, in the commit itself. A number never shrinks, and a seal stays.
INSERT INTO care_logs (log, first, changes, sealed, begun_us, kept_us) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (log) DO UPDATE SET
        changes = max(changes, excluded.changes), sealed = max(sealed, excluded.sealed), kept_us = excluded.kept_us;

-- find_log --
-- What one log must have.
SELECT changes, sealed FROM care_logs WHERE log = ?;

-- held_from --
-- The oldest batch with changes of a record that is not sealed and was begun after the given time.
SELECT min(first) FROM care_logs WHERE sealed = 0 AND begun_us >= ?;

-- trim_logs --
-- At most so many: the records that are not sealed, then the sealed ones that were changed last.
DELETE FROM care_logs WHERE log IN (SELECT log FROM care_logs ORDER BY sealed, kept_us DESC, log LIMIT -1 OFFSET ?);

-- has_logs --
SELECT EXISTS (SELECT 1 FROM care_logs);
