"""What all pages say, in English and Polish."""

from typing import Final

WORDS: Final = {
    "page.skip": ("Skip to the content", "Przejdź do treści"),
    "page.language.en": ("English", "English"),
    "page.language.pl": ("Polski", "Polski"),
    "page.languages": ("Language", "Język"),
    "page.name": ("Argus sign-in", "Logowanie Argus"),
    "refusal.title": ("That did not work", "Nie udało się"),
    "refusal.code": (
        "If you ask for help, quote this code: {code}.",
        "Prosząc o pomoc, podaj ten kod: {code}.",
    ),
}
