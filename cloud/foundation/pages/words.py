"""Texts of all pages, in English and Polish."""

from typing import Final

WORDS: Final = {
    "page.skip": ("Skip to the content", "Przejdź do treści"),
    "page.language.en": ("English", "English"),
    "page.language.pl": ("Polski", "Polski"),
    "page.languages": ("Language", "Język"),
    "page.name": ("Argus sign-in", "Logowanie do systemu Argus"),
    "copy.button": ("Copy", "Kopiuj"),
    "copy.done": ("Copied", "Skopiowano"),
    "refusal.title": ("The request failed", "Nie udało się"),
    "refusal.code": ("Quote this code to support: {code}.", "Kod dla pomocy technicznej: {code}."),
}
