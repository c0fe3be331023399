-- epoch --
-- Whose history a set-aside store is.
SELECT epoch FROM store;

-- acked --
-- How far the cloud had answered, for each lane.
SELECT lane, acked FROM lanes;

-- newest --
-- The last row of a lane that can be reached.
SELECT position, through, created_at_us FROM batches WHERE position BETWEEN ? AND ? ORDER BY position DESC LIMIT 1;

-- oldest --
-- The first row of a lane that can be reached.
SELECT position, through, created_at_us FROM batches WHERE position BETWEEN ? AND ? ORDER BY position LIMIT 1;

-- devices --
-- The devices that were met, up to the first page that cannot be read.
SELECT system_id, model, first_seen_us, last_seen_us, link_class, accepted_us FROM devices ORDER BY system_id;

-- devices_from_the_end --
-- The same from the other end.
SELECT system_id, model, first_seen_us, last_seen_us, link_class, accepted_us FROM devices ORDER BY system_id DESC;

-- put_devices --
-- One row of them, in the spare store.
INSERT OR IGNORE INTO devices (system_id, model, first_seen_us, last_seen_us, link_class, accepted_us)
VALUES (?, ?, ?, ?, ?, ?);

-- state --
-- Small facts, up to the first page that cannot be read.
SELECT name, value FROM state ORDER BY name;

-- state_from_the_end --
-- The same from the other end.
SELECT name, value FROM state ORDER BY name DESC;

-- put_state --
-- One row of them, in the spare store.
INSERT OR IGNORE INTO state (name, value) VALUES (?, ?);

-- ble_devices --
-- The paired Bluetooth devices, up to the first page that cannot be read.
SELECT address, name, system_id, bonded, services, paired_us FROM ble_devices ORDER BY address;

-- ble_devices_from_the_end --
-- The same from the other end.
SELECT address, name, system_id, bonded, services, paired_us FROM ble_devices ORDER BY address DESC;

-- put_ble_devices --
-- One row of them, in the spare store.
INSERT OR IGNORE INTO ble_devices (address, name, system_id, bonded, services, paired_us) VALUES (?, ?, ?, ?, ?, ?);
