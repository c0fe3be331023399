"""What a Bluetooth device calls itself, made fit to be shown: anybody in range may advertise any octets as a name.

A name is decoration for a person who looks for a device in a list. It decides nothing: two devices may bear the same,
and whoever wants to be mistaken for a paired device bears that one's.
"""

import unicodedata

LENGTH_MAX = 32
"""An advertisement has room for 29 octets of name; the whole name (GATT 0x2A00) may have 248 and is no label then."""


def shown_name(advertised: str | None) -> str:
    """At most LENGTH_MAX printable characters, runs of space as one; empty where nothing is left. Without direction
    marks and other invisible characters, which could make a line read as another."""
    text = unicodedata.normalize("NFC", (advertised or "")[: 8 * LENGTH_MAX])
    kept = (" " if each.isspace() else each for each in text if each.isspace() or each.isprintable())
    return " ".join("".join(kept).split())[:LENGTH_MAX].rstrip()
