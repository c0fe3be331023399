-- known_change --
-- Whether a change was stored, and with which content.
SELECT fingerprint FROM care_changes WHERE change_id = ?;

-- remember_change --
-- In the commit of the change itself, so that neither is ever there without the other.
INSERT INTO care_changes (change_id, fingerprint, kept_us) VALUES (?, ?, ?);

-- trim_changes --
-- At most so many; a client that repeats a forgotten change has it stored twice, and the record ignores the second.
DELETE FROM care_changes WHERE change_id IN
    (SELECT change_id FROM care_changes ORDER BY kept_us DESC, change_id LIMIT -1 OFFSET ?);
