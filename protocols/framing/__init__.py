"""How whole APDUs are cut out of a byte stream."""
