"""Addresses of wallets in the form in which they are compared."""

_LOWER_CASE = ("0x", "bc1", "tb1", "ltc1", "bnb1", "cosmos1", "addr1", "bitcoincash:")
"""Beginnings of addresses in which upper and lower case mean the same (hexadecimal, Bech32, CashAddr). In all others,
as in Base58, they differ."""


def normalized_address(address: str) -> str:
    """Return an address without spaces around it, in lower case where the case has no meaning. The asset is no part of
    it: one key holds all assets of its chain, and the same address often exists on several chains."""
    trimmed = address.strip()
    lower = trimmed.lower()
    return lower if lower.startswith(_LOWER_CASE) else trimmed
