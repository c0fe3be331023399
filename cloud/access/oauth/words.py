"""What the consent page says, in English and Polish. Scopes are told in both; their names stay as they are (C-006)."""

from typing import Final

from cloud.access.apps import CATALOGUE

_POLISH: Final = {
    "webhooks:read": "Przeglądanie subskrypcji webhooków i ich dostarczeń",
    "webhooks:write": "Tworzenie i zmiana subskrypcji webhooków",
    "argus:epcr:read": "Odczyt zdarzeń medycznych i ich pakietów FHIR",
    "argus:epcr:write": "Tworzenie zdarzeń i uzupełnianie dokumentacji pacjenta",
    "argus:devices:read": "Przeglądanie urządzeń medycznych",
    "argus:devices:write": "Rejestrowanie urządzeń medycznych i przesyłanie ich pomiarów",
    "argus:acqi:read": "Odczyt wskaźników jakości ratownictwa",
    "argus:telephony:read": "Odczyt zgłoszeń alarmowych i ich stanu",
    "argus:telephony:write": "Rejestrowanie zgłoszeń alarmowych i zmiana ich stanu",
    "argus:observability:read": "Wyszukiwanie śladów i stanu integracji",
    "argus:jobs:read": "Śledzenie zadań i pobieranie ich wyników",
    "argus:jobs:write": "Uruchamianie i anulowanie zadań",
    "argus:platform:read": "Odczyt aplikacji integracyjnych i katalogu zakresów",
    "argus:platform:admin": "Administrowanie aplikacjami, ich sekretami i tokenami",
    "argus:profiles:read": "Odczyt profili integracji",
    "argus:profiles:write": "Tworzenie i zmiana profili integracji",
    "argus:provenance:read": "Odczyt zapisów pochodzenia i dowodów",
    "argus:discovery:read": "Odczyt schematów danych dostępnych dla tokenu",
}

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
    **{f"scope.{scope.name}": (scope.description, _POLISH[scope.name]) for scope in CATALOGUE},
}
