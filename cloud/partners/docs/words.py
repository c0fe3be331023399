"""Texts of the documentation's pages, in English and Polish. The texts of operations are those of the OpenAPI document,
in English on both pages (contract matrix C-006)."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "site.name": ("Argus for developers", "Argus dla programistów"),
    "site.skip": ("Skip to the content", "Przejdź do treści"),
    "site.menu": ("Contents", "Spis treści"),
    "site.language.en": ("English", "English"),
    "site.language.pl": ("Polski", "Polski"),
    "nav.guides": ("Guides", "Przewodniki"),
    "nav.reference": ("API reference", "Dokumentacja API"),
    "nav.machine": ("Machine-readable documents", "Dokumenty czytelne maszynowo"),
    "nav.events": ("Webhook events", "Zdarzenia webhooków"),
    "nav.problems": ("Problem types", "Rodzaje błędów"),
    "home.title": ("Argus API documentation", "Dokumentacja API Argus"),
    "home.lead": (
        "Argus sends the measurements of the devices in an ambulance to the cloud, each with its origin and a signed "
        "chain of custody. Your program can read encounters and measurements, receive events, and hand a care record "
        "over to a hospital system.",
        "Argus przesyła do chmury pomiary z urządzeń w karetce, każdy z informacją o pochodzeniu i z podpisanym "
        "łańcuchem dowodowym. Twój program może odczytywać interwencje i pomiary, odbierać powiadomienia "
        "o zdarzeniach i przekazywać dokumentację do systemu szpitala.",
    ),
    "home.start": ("Start with your first call", "Zacznij od pierwszego wywołania"),
    "home.hosts": ("Hosts", "Hosty"),
    "host.auth": ("Sign-in, tokens, apps and webhooks", "Logowanie, tokeny, aplikacje i webhooki"),
    "host.api": ("Devices, encounters, jobs, evidence", "Urządzenia, interwencje, zadania, materiał dowodowy"),
    "host.sandbox": (
        "Sandbox: it has no operations yet, so try your integration with the demo in the guide “First call”",
        "Środowisko testowe (sandbox): nie ma w nim jeszcze operacji, więc wypróbuj integrację w demo z przewodnika "
        "„Pierwsze wywołanie”",
    ),
    "reference.lead": (
        "All operations of the stable contract, version {version}. This page is generated from the same source as the "
        "OpenAPI document.",
        "Wszystkie operacje stabilnego kontraktu w wersji {version}. Strona powstaje z tych samych danych co dokument "
        "OpenAPI.",
    ),
    "reference.english": (
        "",
        "Nazwy i opisy operacji pozostają po angielsku, dokładnie tak jak w kontrakcie i w dokumencie OpenAPI.",
    ),
    "reference.on_request": ("On request", "Dostępne na żądanie"),
    "reference.on_request.lead": (
        "These areas need an approval. You get their documentation during the integration process.",
        "Te obszary wymagają osobnej zgody, a ich dokumentację otrzymasz w ramach procesu integracyjnego.",
    ),
    "fact.host": ("Host", "Host"),
    "fact.auth": ("Authentication", "Uwierzytelnianie"),
    "fact.audience": ("Audience", "Odbiorcy"),
    "fact.stability": ("Stability", "Stabilność"),
    "fact.scopes": ("Scopes (one of these)", "Zakresy (wystarczy jeden)"),
    "fact.scopes.none": ("None", "Brak"),
    "fact.added": ("Since", "Od wersji"),
    "fact.deprecated": ("Deprecated since", "Przestarzała od"),
    "fact.sunset": ("Ends on", "Data wycofania"),
    "fact.openapi": ("In the OpenAPI document", "W dokumencie OpenAPI"),
    "audience.external-integrators": ("External integrators", "Zewnętrzni integratorzy"),
    "audience.customer-administrators": ("Customer administrators", "Administratorzy klienta"),
    "audience.strategic-partners": ("Strategic partners", "Partnerzy strategiczni"),
    "stability.stable": ("Stable", "Stabilne"),
    "stability.approved-on-request": ("Approved on request", "Zatwierdzone na żądanie"),
    "auth.Public": ("Public", "Dostęp publiczny"),
    "auth.Bearer token": ("Bearer token", "Token Bearer"),
    "auth.OAuth auth code or client credentials": (
        "OAuth authorization code or client credentials",
        "OAuth: authorization code lub client credentials",
    ),
    "operation.parameters": ("Parameters", "Parametry"),
    "operation.body": ("Request body", "Treść żądania"),
    "operation.body.optional": ("The body is optional.", "Treść jest opcjonalna."),
    "operation.responses": ("Responses", "Odpowiedzi"),
    "operation.errors": ("Errors", "Błędy"),
    "operation.errors.about": (
        "Errors are problem documents with a stable code.",
        "Błędy to dokumenty „problem” ze stałym kodem.",
    ),
    "operation.samples": ("Request", "Żądanie"),
    "operation.example": ("Example", "Przykład"),
    "field.name": ("Name", "Nazwa"),
    "field.place": ("In", "Gdzie"),
    "field.type": ("Type", "Typ"),
    "field.about": ("Meaning", "Znaczenie"),
    "field.required": ("required", "wymagane"),
    "field.status": ("Status", "Status"),
    "status.other": ("other", "inny"),
    "place.path": ("path", "ścieżka"),
    "place.query": ("query", "ciąg zapytania"),
    "place.header": ("header", "nagłówek"),
    "place.form": ("form field", "pole formularza"),
    "compose.title": ("Your values", "Twoje wartości"),
    "compose.about": (
        "The samples below use these values. They stay on this page: nothing is sent or stored.",
        "Przykłady poniżej korzystają z tych wartości. Pozostają one na tej stronie: nic nie jest wysyłane ani "
        "zapisywane.",
    ),
    "compose.base": ("Base URL", "Bazowy URL"),
    "compose.token": ("Access token", "Token dostępu"),
    "compose.body": ("Body (JSON)", "Treść (JSON)"),
    "compose.bad.base": (
        "Not an address. Enter one such as https://api.example.org.",
        "To nie jest adres w rodzaju https://api.example.org.",
    ),
    "compose.bad.token": ("A token has no spaces or quotation marks.", "Token nie zawiera spacji ani cudzysłowów."),
    "compose.bad.Idempotency-Key": (
        "Use letters, digits and the characters . _ ~ : + / = - only, for instance a UUID.",
        "Dozwolone są tylko litery bez polskich znaków, cyfry i znaki . _ ~ : + / = -, na przykład UUID.",
    ),
    "compose.bad.If-Match": (
        "Enter the ETag of the response that you read, with its quotation marks, or *.",
        "Wpisz ETag z odczytanej odpowiedzi razem z cudzysłowem albo znak *.",
    ),
    "compose.bad.If-None-Match": (
        "Enter the ETag of your copy with its quotation marks, or *.",
        "Wpisz ETag swojej kopii razem z cudzysłowem albo znak *.",
    ),
    "compose.bad.X-Tenant-ID": (
        "Enter the tenant's id: letters, digits, hyphens and underscores.",
        "Wpisz identyfikator tenanta: litery bez polskich znaków, cyfry, łączniki i podkreślenia.",
    ),
    "compose.bad.body": (
        "Not valid JSON, or an integer beyond ±9007199254740991, which JavaScript rounds. The samples keep the last "
        "valid body.",
        "Niepoprawny JSON albo liczba całkowita spoza zakresu ±9007199254740991, którą JavaScript zaokrągla. "
        "W przykładach pozostaje ostatnia poprawna treść.",
    ),
    "english.names": (
        "",
        "Nazwy i opisy pozostają po angielsku, dokładnie tak jak w odpowiedziach API.",
    ),
    "index.lead": (
        "The stable contract for external integrations, version {version}, as documents for programs.",
        "Stabilny kontrakt dla integracji zewnętrznych w wersji {version} jako dokumenty dla programów.",
    ),
    "index.catalogue": ("API catalogue, as a link set", "Katalog API (zbiór odnośników)"),
    "index.deprecations": ("Deprecated operations", "Operacje przestarzałe"),
    "index.keys": ("Keys that verify access tokens", "Klucze do weryfikacji tokenów dostępu"),
    "index.json": (
        "This address returns the index of all operations, guides and samples as JSON to a program that sends",
        "Program, który wyśle poniższy nagłówek, otrzyma pod tym adresem spis wszystkich operacji, przewodników "
        "i przykładów jako JSON:",
    ),
    "events.lead": (
        "The events that Argus sends to webhooks. Each message is signed according to Standard Webhooks and delivered "
        "at least once: use webhook-id to detect duplicates. Events about the same object (an incident, encounter, "
        "device or gateway) are delivered in order. Fields may be added to an event. If a field is removed or its "
        "meaning changes, the version of the event increases.",
        "Zdarzenia, które Argus wysyła do webhooków. Każda wiadomość jest podpisana zgodnie ze Standard Webhooks "
        "i dostarczana co najmniej raz: duplikaty rozpoznasz po webhook-id. Zdarzenia dotyczące tego samego obiektu "
        "(incydentu, interwencji, urządzenia lub bramki) przychodzą po kolei. Zdarzenie może zyskać nowe pola. Gdy "
        "pole znika lub zmienia znaczenie, rośnie wersja zdarzenia.",
    ),
    "events.guide": ("How to receive webhooks", "Jak odbierać webhooki"),
    "events.facts": ("Version {version}. Required scope:", "Wersja {version}. Wymagany zakres:"),
    "events.to_all": ("No subscription is needed.", "Nie wymaga subskrypcji."),
    "events.message": ("Message", "Wiadomość"),
    "events.schema": ("Schema of", "Schemat pola"),
    "problem.code": ("Code", "Kod"),
    "problem.do": (
        "A response with this problem has a trace_id, which support needs, and may name the wrong values in errors.",
        "Odpowiedź z tym błędem ma trace_id, którego potrzebuje pomoc techniczna, a błędne wartości może wskazywać "
        "w errors.",
    ),
    "problem.guide": ("What to do about errors", "Co robić w razie błędów"),
    "absent.title": ("Page not found", "Nie ma takiej strony"),
    "absent.about": (
        "There is no page at this address. The address may be misspelt, or the page may have a new one. "
        "You can look for it here:",
        "Pod tym adresem nie ma strony. Adres może zawierać literówkę albo strona ma już inny. Poszukaj jej tutaj:",
    ),
    "copy.button": ("Copy", "Kopiuj"),
    "copy.done": ("Copied", "Skopiowano"),
    "copy.failed": ("Copying is blocked: press Ctrl+C", "Kopiowanie zablokowane: naciśnij Ctrl+C"),
    "search.title": ("Search", "Szukaj"),
    "search.label": ("Search the documentation", "Szukaj w dokumentacji"),
    "search.button": ("Search", "Szukaj"),
    "search.none": ("Nothing found for “{query}”.", "Brak wyników dla „{query}”."),
    "search.some": ("Results for “{query}”", "Wyniki dla „{query}”"),
    "search.hint": (
        "Search guides, operations, fields and errors.",
        "Szukaj w przewodnikach, operacjach, polach i błędach.",
    ),
    "search.guide": ("Guide", "Przewodnik"),
    "search.operation": ("Operation", "Operacja"),
}
