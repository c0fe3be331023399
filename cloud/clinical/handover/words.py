"""Texts of the page of a share link, around the hand-over, whose own words are in `protocols.epcr.handover`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocols.epcr.handover.language import Words

WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {
        "title": Words("Hand-over from the ambulance", "Przekazanie z karetki", "Übergabe aus dem Rettungswagen"),
        "loading": Words("The hand-over is loading.", "Trwa wczytywanie.", "Die Übergabe wird geladen."),
        "no_token": Words(
            "This page needs the whole link from the crew. Open the link again, or scan the code again.",
            "Ta strona wymaga pełnego łącza od zespołu. Otwórz łącze ponownie albo zeskanuj kod jeszcze raz.",
            "Diese Seite benötigt den ganzen Link vom Team. Öffnen Sie den Link oder scannen Sie den Code noch einmal.",
        ),
        "unknown": Words(
            "There is no hand-over at this link yet. If the crew shared it just now, the page opens by itself in a "
            "moment. Otherwise check that the whole link was copied.",
            "Pod tym łączem nie ma jeszcze przekazania. Jeśli zespół dopiero je udostępnił, strona za chwilę otworzy "
            "się sama. W przeciwnym razie sprawdź, czy skopiowano całe łącze.",
            "Unter diesem Link gibt es noch keine Übergabe. Hat das Team sie gerade erst geteilt, öffnet sich die "
            "Seite gleich von selbst. Prüfen Sie sonst, ob der ganze Link kopiert wurde.",
        ),
        "ended": Words(
            "This link was revoked or has expired. Request a new one from the crew.",
            "To łącze zostało unieważnione albo wygasło. Poproś zespół o nowe.",
            "Dieser Link wurde widerrufen oder ist abgelaufen. Bitten Sie das Team um einen neuen.",
        ),
        "live": Words(
            "Live until the arrival. Updated every ten seconds while the vehicle has coverage.",
            "Na bieżąco do przyjazdu. Dane są aktualizowane co dziesięć sekund, gdy pojazd ma zasięg.",
            "Live bis zur Ankunft. Alle zehn Sekunden aktualisiert, solange das Fahrzeug Empfang hat.",
        ),
        "frozen": Words(
            "The patient has arrived. This page shows the state at the arrival and no longer changes.",
            "Pacjent dotarł na miejsce. Strona pokazuje stan w chwili przyjazdu i już się nie zmienia.",
            "Der Patient ist angekommen. Diese Seite zeigt den Stand bei der Ankunft und ändert sich nicht mehr.",
        ),
        "lost": Words(
            "No contact with the server. The page shows an older state.",
            "Brak połączenia z serwerem. Strona pokazuje starszy stan.",
            "Keine Verbindung zum Server. Die Seite zeigt einen älteren Stand.",
        ),
        "busy": Words(
            "The server is busy. The page tries again by itself.",
            "Serwer jest zajęty. Strona sama spróbuje ponownie.",
            "Der Server ist ausgelastet. Die Seite versucht es von selbst erneut.",
        ),
        "order": Words("Order", "Kolejność", "Reihenfolge"),
        "needs_script": Words(
            "This page needs JavaScript.", "Ta strona wymaga JavaScriptu.", "Diese Seite benötigt JavaScript."
        ),
    }
)
