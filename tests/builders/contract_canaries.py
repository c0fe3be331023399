"""Synthetic patient data and credentials that must not appear in logs, spans, audit entries or errors (security test
S-150).

Each is a text that occurs nowhere else, so finding it in a log line, a span, an audit entry or an error is a leak.
Tests that need a patient, a birth date or free text use these texts.
"""

import json
from urllib.parse import quote, quote_plus

CANARIES: dict[str, str] = {
    "name": "Kanarkowa-Syntetyczna",
    "given_name": "Zofianka-Testowa",
    "birth_date": "1931-02-29",
    "birth_date_local": "29.02.1931",
    "national_id": "31022999993",
    "phone": "+48 600 000 137",
    "e_mail": "kanarek@patient.invalid",
    "street": "ulica Nieistniejąca 137",
    "next_of_kin": "Kanarkowski-Krewny",
    "place": "52.00000137",
    "narrative": "skarży się na syntetyczny ból w kanarku",
    "password": "haslo-kanarkowe-137",
}
"""Map each kind of canary to its text."""


def found_in(text: str) -> list[str]:
    """Return the kinds of the synthetic texts (keys of `CANARIES`) that a text contains, plainly or escaped as in JSON
    or a URL."""
    return [what for what, canary in CANARIES.items() for form in _forms(canary) if form in text]


def _forms(canary: str) -> set[str]:
    return {canary, json.dumps(canary)[1:-1], quote(canary), quote_plus(canary)}
