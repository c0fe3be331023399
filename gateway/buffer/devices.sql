-- devices --
-- Every device that ever associated, by name.
SELECT system_id, model, first_seen_us, last_seen_us, link_class, accepted_us FROM devices ORDER BY system_id;

-- remember_device --
-- First sight stays, the rest is brought up to date. A model that the device did not report this time is kept.
INSERT INTO devices (system_id, model, first_seen_us, last_seen_us, link_class, accepted_us)
VALUES (?1, ?2, ?3, ?3, ?4, ?5)
ON CONFLICT (system_id) DO UPDATE SET last_seen_us = excluded.last_seen_us,
    link_class = excluded.link_class, accepted_us = excluded.accepted_us,
    model = CASE excluded.model WHEN '' THEN model ELSE excluded.model END;

-- trim_devices --
-- At most so many devices: an agent that invents a new id each second must not fill the store, nor push out a device
-- that is known by its cable, by its pairing or by an operator.
DELETE FROM devices WHERE system_id IN
    (SELECT system_id FROM devices
     ORDER BY link_class IN ('unknown', 'tcp') AND accepted_us IS NULL, last_seen_us DESC, system_id LIMIT -1 OFFSET ?);

-- configurations --
-- What the association engine is given at start.
SELECT system_id, config_id, octets FROM configurations ORDER BY kept_us, system_id, config_id;

-- remember_configuration --
-- A device that changes what a number means replaces the old meaning.
INSERT INTO configurations (system_id, config_id, octets, kept_us) VALUES (?, ?, ?, ?)
ON CONFLICT (system_id, config_id) DO UPDATE SET octets = excluded.octets, kept_us = excluded.kept_us;

-- trim_configurations --
-- At most so many; those of unverified devices go first, then the oldest, and their devices send them again.
DELETE FROM configurations WHERE (system_id, config_id) IN
    (SELECT known.system_id, known.config_id FROM configurations AS known LEFT JOIN devices AS device USING (system_id)
     ORDER BY coalesce(device.link_class IN ('unknown', 'tcp') AND device.accepted_us IS NULL, 1),
         known.kept_us DESC LIMIT -1 OFFSET ?);

-- device_reports --
-- All of them, for the start.
SELECT system_id, written_us, nonce, sealed FROM device_reports ORDER BY written_us, system_id;

-- remember_device_report --
-- A report is replaced as a whole.
INSERT INTO device_reports (system_id, written_us, nonce, sealed) VALUES (?, ?, ?, ?)
ON CONFLICT (system_id) DO UPDATE SET written_us = excluded.written_us, nonce = excluded.nonce, sealed = excluded.sealed;

-- trim_device_reports --
-- At most so many; those of unverified devices go first, of these the one written longest ago.
DELETE FROM device_reports WHERE system_id IN
    (SELECT report.system_id FROM device_reports AS report LEFT JOIN devices AS device USING (system_id)
     ORDER BY coalesce(device.link_class IN ('unknown', 'tcp') AND device.accepted_us IS NULL, 1),
         report.written_us DESC, report.system_id LIMIT -1 OFFSET ?);

-- state_get --
-- One small fact.
SELECT value FROM state WHERE name = ?;

-- state_put --
-- One small fact, replaced.
INSERT INTO state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- fetched_segments --
-- What is durable of devices' memories, the one fetched longest ago first.
SELECT system_id, store, segment, identity, through, state FROM fetched_segments
ORDER BY kept_us, system_id, store, segment;

-- remember_segment --
-- In the commit of the entries themselves, so that neither is ever there without the other.
INSERT INTO fetched_segments (system_id, store, segment, identity, through, state, kept_us) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (system_id, store, segment) DO UPDATE SET identity = excluded.identity, through = excluded.through,
    state = excluded.state, kept_us = excluded.kept_us;

-- trim_segments --
-- At most so many; a forgotten mark costs another fetch, whose records are known by their content.
DELETE FROM fetched_segments WHERE (system_id, store, segment) IN
    (SELECT system_id, store, segment FROM fetched_segments ORDER BY kept_us DESC LIMIT -1 OFFSET ?);

-- forget_segment --
-- The device cleared it: its number may mean another segment from now on.
DELETE FROM fetched_segments WHERE system_id = ? AND store = ? AND segment = ?;
