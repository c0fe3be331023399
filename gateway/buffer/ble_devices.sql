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
