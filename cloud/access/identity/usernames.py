"""User names: their form for comparison, and the characters that a new name may have.

Administrators grant rights to user names, so two names that look alike must be the same name. Names are compared in
NFKC form and lower case; RFC 8265 maps case and width in the same way. A new name has only ASCII and Latin letters of
European languages (ą, é, ł; ß becomes ss). Other scripts are refused: an administrator cannot see that the first letter
of `аda` is Cyrillic. This is the strictest rule of Unicode UTS 39 that needs no table of look-alikes, since none of
these letters looks like another. Users whose names were added before this rule can still sign in.
"""

import string
import unicodedata

from cloud.access.identity.errors import UsernameMalformed
from cloud.foundation.readable import hidden_character

LENGTH_MAX = 254
_ASCII = frozenset(string.ascii_letters + string.digits + string.punctuation)
_LATIN = range(0xC0, 0x180)
"""Latin-1 and Latin Extended-A, without those that are no letters or look like an ASCII letter: × ÷ ı ĸ ŉ ſ."""
_LOOKALIKES = frozenset("×÷ıĸŉſ")


def folded(username: str) -> str:
    """Return a user name in the form in which it is stored and compared. Raises `UsernameMalformed`."""
    if not 1 <= len(username) <= LENGTH_MAX:
        raise UsernameMalformed
    name = unicodedata.normalize("NFKC", username).casefold()
    for letter in name:
        if letter.isspace() or unicodedata.category(letter) == "Cc":
            raise UsernameMalformed
    return name


def new_username(username: str) -> str:
    """Return the stored form of a new user name. Raises `UsernameMalformed`, which names the refused character."""
    found = hidden_character(username)
    if found is not None:
        raise UsernameMalformed(f"(It contains {found}.)")
    name = folded(username)
    for letter in name:
        if letter not in _ASCII and (ord(letter) not in _LATIN or letter in _LOOKALIKES):
            raise UsernameMalformed(f"(It contains U+{ord(letter):04X} {unicodedata.name(letter, 'character')}.)")
    return name
