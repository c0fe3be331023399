"""IEEE 11073-20601 and its nomenclature. Manager and agent share one codec and one association engine."""
