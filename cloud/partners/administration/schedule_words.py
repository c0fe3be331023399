"""Texts of the pages about schedules, in English and Polish."""

from typing import Final

SCHEDULE_WORDS: Final = {
    "schedules": ("Schedules", "Harmonogramy"),
    "schedules.new": ("New schedule", "Nowy harmonogram"),
    "schedules.add": ("Add the schedule", "Dodaj harmonogram"),
    "schedules.none": (
        "There are no schedules here. A schedule starts an export for an app at set times.",
        "Nie ma tu harmonogramów. Harmonogram uruchamia eksport dla aplikacji o ustalonych godzinach.",
    ),
    "schedules.no_app": (
        "No app may have schedules yet. The operator permits it: request the scope argus:jobs:schedule for the app.",
        "Żadna aplikacja nie może jeszcze mieć harmonogramów. Zezwala na to operator: poproś o zakres "
        "argus:jobs:schedule dla aplikacji.",
    ),
    "schedule.id": ("Schedule", "Harmonogram"),
    "schedule.name": ("Name", "Nazwa"),
    "schedule.app": ("App", "Aplikacja"),
    "schedule.app.hint": (
        "The apps for which the operator has permitted schedules.",
        "Aplikacje, którym operator zezwolił na harmonogramy.",
    ),
    "schedule.status": ("State", "Stan"),
    "schedule.active": ("active", "aktywny"),
    "schedule.paused": ("paused", "wstrzymany"),
    "schedule.stopped": ("stopped", "zatrzymany"),
    "schedule.failing": ("failing", "błędy"),
    "schedule.times": ("Times", "Terminy"),
    "schedule.cron": ("Times, as in cron", "Terminy, jak w cronie"),
    "schedule.cron.hint": (
        "Minute, hour, day of the month, month, day of the week: 0 3 * * * is every day at 3:00. At least 15 minutes "
        "lie between two times.",
        "Minuta, godzina, dzień miesiąca, miesiąc, dzień tygodnia: 0 3 * * * to codziennie o 3:00. Między dwoma "
        "terminami jest co najmniej 15 minut.",
    ),
    "schedule.zone": ("Time zone", "Strefa czasowa"),
    "schedule.zone.hint": ("Such as Europe/Warsaw or UTC.", "Na przykład Europe/Warsaw albo UTC."),
    "schedule.next": ("Next time", "Następny termin"),
    "schedule.kind": ("Jobs", "Zadania"),
    "schedule.payload": ("Payload", "Treść zlecenia"),
    "schedule.data": ("What is exported?", "Co eksportować?"),
    "schedule.data.encounters": ("Encounters", "Interwencje"),
    "schedule.data.observations": ("Observations", "Pomiary"),
    "schedule.data.waveforms": ("Waveforms", "Krzywe"),
    "schedule.format": ("Format of the file", "Format pliku"),
    "schedule.window": ("Exported up to", "Wyeksportowano do"),
    "schedule.window.hint": (
        "Each export continues where the last successful one ended, by the time at which encounters were created.",
        "Każdy eksport zaczyna się tam, gdzie skończył się poprzedni udany, według czasu utworzenia interwencji.",
    ),
    "schedule.delay": ("Delay in hours", "Opóźnienie w godzinach"),
    "schedule.delay.hint": (
        "An export has the encounters that were created up to this long before its time. Data that arrive after the "
        "export of their encounter are in no later export, so choose a delay after which encounters are complete.",
        "Eksport obejmuje interwencje utworzone najpóźniej na tyle godzin przed jego terminem. Danych, które nadejdą "
        "po eksporcie swojej interwencji, nie obejmie żaden późniejszy eksport, więc wybierz opóźnienie, po którym "
        "interwencje są kompletne.",
    ),
    "schedule.callback": ("Call-back address (optional)", "Adres wywołania zwrotnego (opcjonalny)"),
    "schedule.callback.hint": (
        "It gets a signed message when an export has ended.",
        "Otrzyma podpisaną wiadomość po zakończeniu eksportu.",
    ),
    "schedule.level": ("Secrecy level", "Poziom poufności"),
    "schedule.trail": ("History", "Historia"),
    "schedule.act": ("Change", "Zmień"),
    "schedule.pause": ("Pause", "Wstrzymaj"),
    "schedule.pause.means": (
        "No job starts until you resume the schedule. A running job continues.",
        "Do wznowienia nie ruszy żadne zadanie. Zadanie w toku będzie kontynuowane.",
    ),
    "schedule.resume": ("Resume", "Wznów"),
    "schedule.resume.means": (
        "The next job also has what the pause has left out.",
        "Następne zadanie obejmie też to, co pominięto w czasie przerwy.",
    ),
    "schedule.remove": ("Remove the schedule", "Usuń harmonogram"),
    "schedule.remove.means": (
        "Its jobs and their results stay. This cannot be undone.",
        "Jego zadania i ich wyniki pozostaną. Tego nie można cofnąć.",
    ),
    "schedule.runs": ("Latest times", "Ostatnie terminy"),
    "schedule.runs.none": ("No time has come yet.", "Żaden termin jeszcze nie nadszedł."),
    "schedule.run.at": ("Time", "Termin"),
    "schedule.run.outcome": ("Outcome", "Wynik"),
    "schedule.run.window": ("Encounters from", "Interwencje od"),
    "schedule.run.missed": ("Missed", "Pominięte"),
    "schedule.outcome.started": ("job started", "zadanie uruchomione"),
    "schedule.outcome.busy": ("skipped: the job before had not ended", "pominięto: poprzednie zadanie trwało"),
    "schedule.reason.requested": ("paused by a person", "wstrzymany przez osobę"),
    "schedule.reason.app_removed": ("The app was removed.", "Aplikacja została usunięta."),
    "schedule.reason.schedule_not_entitled": (
        "The app may no longer have schedules.",
        "Aplikacja nie może już mieć harmonogramów.",
    ),
    "schedule.reason.schedule_scopes_missing": (
        "The app has lost a scope that the jobs need.",
        "Aplikacja utraciła zakres potrzebny do zadań.",
    ),
    "schedule.reason.clearance_exceeded": (
        "The app's highest secrecy level is now below that of the jobs.",
        "Najwyższy poziom poufności aplikacji jest teraz niższy niż poziom zadań.",
    ),
    "schedule.reason.webhook_host_not_allowed": (
        "The rules of the app no longer allow the host of the call-back address.",
        "Zasady aplikacji nie dopuszczają już hosta adresu wywołania zwrotnego.",
    ),
    "schedule.reason.other": ("The service has refused the job.", "Usługa odrzuciła zadanie."),
    "home.schedule": ("The schedule", "Harmonogram"),
    "home.schedule.stopped": ("no longer runs; stopped", "nie działa; zatrzymano"),
    "home.schedule.failing": ("starts jobs that fail", "uruchamia zadania, które się nie udają"),
    "done.schedule_added": ("The schedule is added.", "Harmonogram został dodany."),
    "done.schedule_paused": ("The schedule is paused.", "Harmonogram został wstrzymany."),
    "done.schedule_resumed": ("The schedule is active.", "Harmonogram jest aktywny."),
    "done.schedule_removed": ("The schedule is removed.", "Harmonogram został usunięty."),
    "refusal.schedule_unknown": ("Schedule not found.", "Nie znaleziono harmonogramu."),
    "refusal.cron_malformed": (
        "The times have the five fields of cron, with at least 15 minutes between two times.",
        "Terminy mają pięć pól crona, a między dwoma terminami jest co najmniej 15 minut.",
    ),
    "refusal.time_zone_unknown": (
        "A time zone is a name such as Europe/Warsaw.",
        "Strefa czasowa to nazwa taka jak Europe/Warsaw.",
    ),
    "refusal.schedule_name_malformed": (
        "A schedule has a name of 1 to 100 characters.",
        "Harmonogram ma nazwę o długości od 1 do 100 znaków.",
    ),
    "refusal.schedule_not_entitled": (
        "The operator has not permitted schedules for the app.",
        "Operator nie zezwolił tej aplikacji na harmonogramy.",
    ),
    "refusal.schedule_scopes_missing": (
        "The app lacks a scope that the jobs need. Approve it on the app's page.",
        "Aplikacja nie ma zakresu potrzebnego do zadań. Zatwierdź go na stronie aplikacji.",
    ),
    "refusal.too_many_schedules": (
        "There are too many schedules. Remove one first.",
        "Harmonogramów jest za dużo. Najpierw usuń jeden z nich.",
    ),
}


def reason_key(reason: str | None) -> str | None:
    """Return the key of the text for the reason of a pause, None for None."""
    if reason is None:
        return None
    key = f"schedule.reason.{reason}"
    return key if key in SCHEDULE_WORDS else "schedule.reason.other"
