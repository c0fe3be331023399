"""Pseudonyms: names for a patient and for the entries of a record that disclose nothing about them.

A pseudonym is an HMAC-SHA-256 with a secret key of the tenant. It is the same each time within a tenant, and two
tenants have different ones for the same patient. Without the key it cannot be guessed, although there are few national
numbers.
"""

import hashlib
import hmac

from protocols.epcr.record import CareRecord, Field

PSEUDONYM_LENGTH = 32
"""Hexadecimal digits of a pseudonym: 128 bits, so that two patients of a country never share one."""
_DIGITS_LEAST = 6
"""Digits of the shortest national number in use. A text with fewer, such as "unknown", identifies no patient."""
_DIFFERENT_LEAST = 3
"""Different digits of a number that was issued. A row of one digit is entered where the number is not known."""
_NATIONAL_NUMBER = "patient.national_number"


def patient_pseudonym(key: bytes, record: CareRecord, encounter: str) -> str:
    """Return the pseudonym of the patient of a record.

    Patients are the same when their national identity number is: records with it have one pseudonym in the whole
    tenant. Without a number, or when two numbers contradict each other, the pseudonym is that of the encounter, since
    equal names and birth dates may be two patients. So it changes when the number is added to the record later.
    """
    numbers = [field for field in record.fields if field.name.key == _NATIONAL_NUMBER]
    number = None if len(numbers) != 1 else _number(numbers[0])
    return pseudonym(key, "encounter", encounter) if number is None else pseudonym(key, "national number", number)


def pseudonym(key: bytes, *parts: str) -> str:
    """Return the pseudonym of a thing that `parts` identify; the first part is its kind."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    content = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
    return hmac.new(key, b"argus/v1/pseudonym" + content, hashlib.sha256).hexdigest()[:PSEUDONYM_LENGTH]


def _number(field: Field) -> str | None:
    """Return the number without punctuation, or None when the field has no number that identifies a patient."""
    if len(field.shown) != 1 or field.contradicting or field.shown[0].value is None:
        return None
    characters = "".join(filter(str.isalnum, field.shown[0].value)).upper()
    digits = [character for character in characters if character.isdecimal()]
    return characters if len(digits) >= _DIGITS_LEAST and len(set(digits)) >= _DIFFERENT_LEAST else None
