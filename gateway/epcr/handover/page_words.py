"""Texts of the pages around a hand-over: its code, its files, and who received the patient."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocols.epcr.handover.language import Words

PAGE_WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "order": Words("Order", "Kolejność", "Reihenfolge"),
        "first_screen": Words("Summary", "Podsumowanie", "Zusammenfassung"),
        "monitor": Words(
            "The monitor’s own screen is primary. This page raises no alarms.",
            "Wiążący jest ekran monitora. Ta strona nie alarmuje.",
            "Maßgeblich ist der Bildschirm des Monitors. Diese Seite alarmiert nicht.",
        ),
        "pdf": Words("PDF", "PDF", "PDF"),
        "bundle": Words("FHIR bundle", "Pakiet FHIR", "FHIR-Bündel"),
        "back": Words("Live values", "Podgląd na żywo", "Livewerte"),
        "list_title": Words("Hand-over", "Przekazanie pacjenta", "Übergabe"),
        "list_empty": Words(
            "No care record is open. Open a report first.",
            "Nie ma otwartej karty. Najpierw otwórz kartę.",
            "Kein Protokoll ist offen. Öffnen Sie zuerst ein Protokoll.",
        ),
        "changed": Words("changed", "zmieniono", "geändert"),
        "for_hospital": Words("For the hospital", "Dla szpitala", "Für die Klinik"),
        "show_code": Words("Show the code", "Pokaż kod", "Code anzeigen"),
        "renew_code": Words("New code", "Nowy kod", "Neuer Code"),
        "renew_note": Words(
            "A new code ends the access of the reader before.",
            "Nowy kod kończy dostęp poprzedniego czytelnika.",
            "Ein neuer Code beendet den Zugang des bisherigen Lesers.",
        ),
        "code_title": Words("Code of the hand-over", "Kod przekazania", "Code der Übergabe"),
        "scan": Words(
            "Scan the code, or open the address and enter the eight characters.",
            "Zeskanuj kod albo otwórz adres i wpisz osiem znaków.",
            "Scannen Sie den Code, oder öffnen Sie die Adresse und geben Sie die acht Zeichen ein.",
        ),
        "code_rules": Words(
            "One device can open it, until {time}. The device must be in the vehicle’s network.",
            "Może go otworzyć jedno urządzenie, do {time}. Urządzenie musi być w sieci pojazdu.",
            "Ein Gerät kann ihn öffnen, bis {time}. Das Gerät muss im Netz des Fahrzeugs sein.",
        ),
        "opened": Words("Opened at {time}", "Otwarto o {time}", "Geöffnet um {time}"),
        "receive": Words("Patient received", "Pacjent przyjęty", "Patient übernommen"),
        "receiver": Words("Receiver (optional)", "Przyjmujący (opcjonalnie)", "Übernommen durch (optional)"),
        "received": Words("Received at {time}", "Przyjęto o {time}", "Übernommen um {time}"),
        "enter_title": Words("Open a hand-over", "Otwórz przekazanie", "Übergabe öffnen"),
        "enter_label": Words("Code from the crew’s tablet", "Kod z tabletu zespołu", "Code vom Tablet des Teams"),
        "enter_open": Words("Open", "Otwórz", "Öffnen"),
        "enter_wrong": Words(
            "This code is not valid: it has expired, or a device has opened it. Request a new one from the crew.",
            "Ten kod jest nieważny: wygasł albo został już otwarty. Poproś zespół o nowy.",
            "Dieser Code ist ungültig: abgelaufen oder schon geöffnet. Bitten Sie das Team um einen neuen.",
        ),
        "enter_wait": Words(
            "Too many wrong codes from this device. Wait {seconds} s, then try again.",
            "Za dużo błędnych kodów z tego urządzenia. Odczekaj {seconds} s i spróbuj ponownie.",
            "Zu viele falsche Codes von diesem Gerät. Warten Sie {seconds} s, dann versuchen Sie es erneut.",
        ),
        "pdf_failed": Words(
            "The PDF cannot be made now. Print this page instead.",
            "Nie można teraz utworzyć PDF. Wydrukuj tę stronę.",
            "Das PDF kann jetzt nicht erzeugt werden. Drucken Sie stattdessen diese Seite.",
        ),
    }
)  # fmt: skip
