"""Domain events: a transactional outbox with leases and fencing (D10)."""
