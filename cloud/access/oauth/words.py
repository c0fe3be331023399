"""Texts of the consent page, in English and Polish. Scopes keep their names and are described in both (C-006)."""

from typing import Final

from cloud.access.apps import CATALOGUE

WORDS: Final = {
    "consent.title": ("Allow access?", "Zezwolić na dostęp?"),
    "consent.asks": (
        "{app} requests access on your behalf in {organization}. It will be able to:",
        "{app} prosi o działanie w Twoim imieniu w {organization}. Aplikacja będzie mogła:",
    ),
    "consent.as": ("Signed in as {username}.", "Zalogowano jako {username}."),
    "consent.to": ("You will be taken to {host}.", "Nastąpi przejście do {host}."),
    "consent.allow": ("Allow", "Zezwól"),
    "consent.deny": ("Deny", "Odmów"),
    "consent.other": ("Sign in as another user", "Zaloguj się jako inny użytkownik"),
    "unusable.title": ("This link cannot be used", "Tego odnośnika nie można użyć"),
    "unusable.why": (
        "The application that sent you here, or its return address, is not registered with Argus. No data was given to "
        "it. Contact the provider of the application.",
        "Aplikacja, która Cię tu skierowała, albo jej adres powrotny nie są zarejestrowane w systemie Argus. Nie "
        "przekazano jej żadnych danych. Skontaktuj się z dostawcą aplikacji.",
    ),
    **{f"scope.{scope.name}": (scope.description, scope.polish) for scope in CATALOGUE},
}
