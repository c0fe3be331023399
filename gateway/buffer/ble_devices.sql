-- ble_devices --
-- All of them, the one paired longest ago first.
SELECT address, name, system_id, bonded, services, paired_us FROM ble_devices ORDER BY paired_us, address;

-- count_other_ble_devices --
-- How many are paired beside this one.
SELECT count(*) FROM ble_devices WHERE address <> ?;

-- remember_ble_device --
-- Paired again, or met for the first time: replaced as a whole.
INSERT INTO ble_devices (address, name, system_id, bonded, services, paired_us) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET name = excluded.name, system_id = excluded.system_id, bonded = excluded.bonded,
    services = excluded.services, paired_us = excluded.paired_us;

-- forget_ble_device --
-- A person said so.
DELETE FROM ble_devices WHERE address = ?;

-- fetched_records --
-- How far each record store is fetched, the one fetched longest ago first.
SELECT system_id, service, identity, through FROM fetched_records ORDER BY kept_us, system_id, service;

-- remember_records --
-- In the commit of the records themselves, so that neither is ever there without the other.
INSERT INTO fetched_records (system_id, service, identity, through, kept_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (system_id, service) DO UPDATE SET identity = excluded.identity, through = excluded.through,
    kept_us = excluded.kept_us;

-- forget_records --
-- Its numbers began again, or some of its records did not arrive.
DELETE FROM fetched_records WHERE system_id = ? AND service = ?;

-- trim_records --
-- At most so many; a forgotten mark costs another fetch, whose records are known by their content.
DELETE FROM fetched_records WHERE (system_id, service) IN
    (SELECT system_id, service FROM fetched_records ORDER BY kept_us DESC LIMIT -1 OFFSET ?);
