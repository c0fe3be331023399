"""Texts of the administrator's pages, in English and Polish. Names of scopes and actions stay as they are (C-006)."""

from typing import Final

from cloud.access.oauth import WORDS as CONSENT_WORDS
from cloud.partners.administration.app_words import APP_WORDS
from cloud.partners.administration.job_words import JOB_WORDS
from cloud.partners.administration.people_words import PEOPLE_WORDS
from cloud.partners.administration.schedule_words import SCHEDULE_WORDS
from cloud.partners.administration.webhook_words import WEBHOOK_WORDS

_SCOPES = {key: pair for key, pair in CONSENT_WORDS.items() if key.startswith("scope.")}

WORDS: Final = {
    "nav.label": ("Administration", "Administracja"),
    "nav.apps": ("Apps", "Aplikacje"),
    "nav.webhooks": ("Webhooks", "Webhooki"),
    "nav.users": ("Users", "Użytkownicy"),
    "nav.audit": ("Audit", "Dziennik"),
    "nav.keys": ("Keys", "Klucze"),
    "nav.password": ("Change your password", "Zmień hasło"),
    "nav.sign_out": ("Sign out", "Wyloguj się"),
    "yes": ("yes", "tak"),
    "no": ("no", "nie"),
    "cancel": ("Cancel", "Anuluj"),
    "made": ("Created", "Utworzono"),
    "moment.ago": ("{span} ago", "{span} temu"),
    "moment.in": ("in {span}", "za {span}"),
    "list.onward": ("Next page", "Następna strona"),
    "organization.label": ("Organisation", "Organizacja"),
    "organization.all": ("The whole tenant", "Wszystkie organizacje"),
    "organization.hint.app": (
        "The app sees what belongs to this organisation.",
        "Aplikacja widzi to, co należy do tej organizacji.",
    ),
    "organization.hint.user": (
        "They see and administer what belongs to this organisation.",
        "Osoba widzi to, co należy do tej organizacji, i tym administruje.",
    ),
    "level.label": ("Highest secrecy level", "Najwyższy poziom poufności"),
    "level.standard": ("Standard", "Standardowy"),
    "level.restricted": ("Restricted", "Zastrzeżony"),
    "level.confidential": ("Confidential", "Poufny"),
    "level.secret": ("Secret", "Tajny"),
    "level.top_secret": ("Top secret", "Ściśle tajny"),
    "not_for_you.title": ("This is for administrators", "Strona dla administratorów"),
    "not_for_you.why": (
        "{username} is not an administrator. If you need these pages, request the role from an administrator of your "
        "tenant.",
        "{username} nie jest administratorem, więc te strony są niedostępne. Jeśli ich potrzebujesz, poproś "
        "administratora o tę rolę.",
    ),
    "not_for_you.other": ("Sign in as another user", "Zaloguj się jako inny użytkownik"),
    "not_for_you.back": ("Back", "Wróć"),
    "told.once": ("Copy this now: it is shown only once.", "Skopiuj to teraz: dane są widoczne tylko jeden raz."),
    "told.reload": (
        "It cannot be shown again. Do not reload this page.",
        "Nie można ich wyświetlić ponownie. Nie odświeżaj tej strony.",
    ),
    "told.kept": ("I have saved it", "Mam zapisane"),
    "audit.trace": ("Trace id", "Identyfikator śladu"),
    "audit.trace.hint": (
        "From a response's X-Argus-Trace-ID, an error, or a traceparent. Includes older entries.",
        "Z nagłówka X-Argus-Trace-ID, z błędu lub z traceparent. Obejmuje też starsze wpisy.",
    ),
    "audit.actor": ("Who", "Kto"),
    "audit.actor.hint": ("User name, app id, or operator", "Nazwa użytkownika, id aplikacji albo operator"),
    "audit.action": ("What", "Co"),
    "audit.action.hint": ("For instance app.rotate_secret", "Na przykład app.rotate_secret"),
    "audit.object": ("To what", "Czego dotyczy"),
    "audit.object.hint": ("Id, or user name", "Id albo nazwa użytkownika"),
    "audit.days": ("Since", "Od kiedy"),
    "audit.days.1": ("Last 24 hours", "Ostatnie 24 godziny"),
    "audit.days.7": ("Last 7 days", "Ostatnie 7 dni"),
    "audit.days.30": ("Last 30 days", "Ostatnie 30 dni"),
    "audit.days.365": ("Last year", "Ostatni rok"),
    "audit.days.3660": ("All", "Wszystko"),
    "audit.search": ("Search", "Szukaj"),
    "audit.clear": ("Show all", "Pokaż wszystko"),
    "audit.none": ("No entry matches.", "Brak pasujących wpisów."),
    "audit.unread": (
        "A trace id has 32 hexadecimal digits.",
        "To nie jest identyfikator śladu: ma on 32 cyfry szesnastkowe.",
    ),
    "audit.at": ("When", "Kiedy"),
    "audit.outcome": ("Outcome", "Wynik"),
    "audit.outcome.done": ("done", "wykonano"),
    "audit.outcome.refused": ("refused", "odmowa"),
    "audit.operator": ("operator (console)", "operator (konsola)"),
    "keys.signing": ("Keys that sign access tokens", "Klucze podpisujące tokeny dostępu"),
    "keys.signing.why": (
        "The next key is published long before it signs, so that verifiers know it. A retired key stays "
        "published until the last token that it signed has expired.",
        "Następny klucz jest publikowany na długo, zanim zacznie podpisywać, żeby wszyscy zdążyli go poznać. Wycofany "
        "klucz pozostaje opublikowany, aż wygaśnie ostatni podpisany nim token.",
    ),
    "keys.none": ("There is no key yet.", "Nie ma jeszcze żadnego klucza."),
    "keys.operator": (
        "These keys sign for every tenant, so only the operator rotates them, at the console:",
        "Te klucze podpisują dla wszystkich klientów, dlatego zmienia je tylko operator, w konsoli:",
    ),
    "keys.webhooks": ("Keys that sign webhooks", "Klucze podpisujące webhooki"),
    "keys.webhooks.why": (
        "Receivers verify v1a signatures with these. Every subscription also has a secret of its own.",
        "Odbiorcy sprawdzają nimi podpisy v1a. Każda subskrypcja ma ponadto własny sekret.",
    ),
    "keys.webhooks.none": (
        "The first keys are created with the first delivery.",
        "Pierwsze powstaną z pierwszym dostarczeniem.",
    ),
    "key.kid": ("Key", "Klucz"),
    "key.stage": ("Stage", "Etap"),
    "key.stage.next": ("next", "następny"),
    "key.stage.current": ("current", "bieżący"),
    "key.stage.retired": ("retired", "wycofany"),
    "key.stage.withdrawn": ("withdrawn", "unieważniony"),
    "key.published": ("Published", "Opublikowano"),
    "key.signs": ("Signs since", "Podpisuje od"),
    "key.until": ("Published until", "Opublikowany do"),
    "key.gone": ("removed since", "usunięty od"),
    "refusal.back": ("Back to the administration", "Wróć do administracji"),
    "refusal.precondition_failed": (
        "This was changed since you opened the page, or the form was sent already. This is the current state.",
        "Ktoś zmienił to w międzyczasie albo formularz został już wysłany. Oto obecny stan.",
    ),
    "refusal.form_forged": (
        "The form expired or was not sent from this page. Go back, reload the page and send it again.",
        "Formularz wygasł albo nie pochodzi z tej strony. Wróć, wczytaj ją ponownie i wyślij jeszcze raz.",
    ),
    "refusal.not_found": ("There is no page at this address.", "Pod tym adresem nie ma strony."),
    "refusal.name_malformed": ("A name has 1 to 200 characters.", "Nazwa ma od 1 do 200 znaków."),
    "refusal.identifier_taken": (
        "This name is already in use, or the form was sent already. Nothing was changed.",
        "Ta nazwa jest już zajęta albo formularz został już wysłany; nic nie zmieniono.",
    ),
    "refusal.organization_unknown": ("Organisation not found.", "Nie ma takiej organizacji."),
    "refusal.webhook_keys_absent": (
        "The webhook keys are not available. Try again shortly.",
        "Klucze webhooków są właśnie tworzone; spróbuj ponownie za chwilę.",
    ),
    "refusal.signing_keys_absent": ("There is no signing key yet.", "Nie ma jeszcze klucza podpisującego."),
    "refusal.master_key_absent": (
        "The master key is missing on the server, so no secret can be created. Contact the operator of Argus.",
        "Na serwerze brakuje klucza głównego, więc nie można utworzyć sekretu. Powiadom operatora systemu Argus.",
    ),
    "refusal.invalid_cursor": (
        "This page of the list was not found. Start at the first page.",
        "Nie można już znaleźć tej strony listy; zacznij od pierwszej.",
    ),
    "refusal.rate_limited": (
        "Too many requests came from your address. Wait before the next one.",
        "Z tego adresu przyszło zbyt wiele żądań. Poczekaj chwilę.",
    ),
    **APP_WORDS,
    **PEOPLE_WORDS,
    **WEBHOOK_WORDS,
    **JOB_WORDS,
    **SCHEDULE_WORDS,
    **_SCOPES,
}
