"""What the consent page says, in English and Polish. Scopes are told in both; their names stay as they are (C-006)."""

from typing import Final

from cloud.access.apps import CATALOGUE

WORDS: Final = {
    "consent.title": ("Allow access?", "Zezwolić na dostęp?"),
    "consent.asks": (
        "{app} asks to act for you in {organization}. It would be able to:",
        "{app} prosi o działanie w Twoim imieniu w {organization}. Aplikacja będzie mogła:",
    ),
    "consent.as": ("Signed in as {username}.", "Zalogowano jako {username}."),
    "consent.to": (
        "You will be taken to {host}.",
        "Nastąpi przejście do {host}.",
    ),
    "consent.allow": ("Allow", "Zezwól"),
    "consent.deny": ("Refuse", "Odmów"),
    "consent.other": ("Sign in as somebody else", "Zaloguj się jako ktoś inny"),
    "unusable.title": ("This link cannot be used", "Tego odnośnika nie można użyć"),
    "unusable.why": (
        "The application that sent you here is not registered with Argus, or the address that it wants you sent back "
        "to is not. Nothing was given to it. Tell whoever runs the application.",
        "Aplikacja, która Cię tu skierowała, albo jej adres powrotny nie są zarejestrowane w Argus. Nic jej nie "
        "przekazano. Powiadom osobę odpowiedzialną za tę aplikację.",
    ),
    **{f"scope.{scope.name}": (scope.description, scope.polish) for scope in CATALOGUE},
}
