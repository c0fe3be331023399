"""IEEE 11073-20601 and its nomenclature: one codec, one engine for manager and agent."""
