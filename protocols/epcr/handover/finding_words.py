"""Words for the findings of an examination and for their sites, in our own wording.

NEMSIS has a list of findings for each part of the body, with a number of its own for the same finding. A row here is a
finding with its numbers. The tablet's form takes its words from here too, so that a finding has one name.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocols.epcr.handover.language import Words

_FINDINGS = (
    (Words("laceration", "rana cięta lub szarpana", "Riss- oder Schnittwunde"), "3505029 3506031 3507027 3525027 3511031 3512033 3514025 3516041"),
    (Words("contusion", "stłuczenie", "Prellung"), "3505051 3506055 3507055 3525047 3511059 3512065 3514053 3516081"),
    (Words("deformity", "zniekształcenie", "Fehlstellung"), "3505019 3506021 3507057 3525021 3514017 3516025"),
    (Words("bleeding, controlled", "krwawienie opanowane", "Blutung, gestillt"), "3505005 3506007 3507005 3525007 3511005 3512005 3514005 3516009"),
    (Words("bleeding, not controlled", "krwawienie nieopanowane", "Blutung, nicht gestillt"), "3505007 3506009 3507007 3525009 3511007 3512007 3514007 3516011"),
    (Words("burn", "oparzenie", "Verbrennung"), "3505009 3506011 3507009 3525011 3511013 3512015 3514009 3516013"),
    (Words("stab or puncture", "rana kłuta", "Stichverletzung"), "3505039 3506041 3507035 3525037 3511045 3512051 3514035 3516063"),
    (Words("pain", "ból", "Schmerz"), "3505037 3506039 3507033 3525033 3511041 3512039 3514031 3516053"),
    (Words("flail segment", "wiotka klatka piersiowa", "instabiler Thorax"), "3525023"),
    (Words("guarding", "obrona mięśniowa", "Abwehrspannung"), "3511025"),
    (Words("unstable", "niestabilność", "instabil"), "3512045"),
    (Words("tenderness over the spine", "tkliwość wyrostków kolczystych", "Druckschmerz über den Dornfortsätzen"), "3514043"),
    (Words("closed fracture", "złamanie zamknięte", "geschlossene Fraktur"), "3516033"),
    (Words("open fracture", "złamanie otwarte", "offene Fraktur"), "3516035"),
    (Words("amputation", "amputacja", "Amputation"), "3516003"),
    (Words("no pulse", "brak tętna", "kein Puls"), "3516059"),
    (Words("normal", "prawidłowa", "unauffällig"), "3504021"),
    (Words("pale", "blada", "blass"), "3504025"),
    (Words("clammy", "wilgotna", "feucht"), "3504001"),
    (Words("sweating", "zlana potem", "schweißig"), "3504007"),
    (Words("cyanotic", "sina", "zyanotisch"), "3504005"),
    (Words("cold", "zimna", "kalt"), "3504003"),
    (Words("hot", "gorąca", "heiß"), "3504013"),
    (Words("mottled", "marmurkowata", "marmoriert"), "3504019"),
    (Words("normal breath sounds", "szmer prawidłowy", "normales Atemgeräusch"), "3523007"),
    (Words("decreased breath sounds", "szmer osłabiony", "abgeschwächtes Atemgeräusch"), "3523003"),
    (Words("no breath sounds", "brak szmeru", "kein Atemgeräusch"), "3523001"),
    (Words("crackles", "trzeszczenia", "Rasselgeräusche"), "3523021"),
    (Words("rhonchi", "furczenia", "Brummen"), "3523023"),
    (Words("wheezing", "świsty", "Giemen"), "3523029"),
    (Words("stridor", "stridor", "Stridor"), "3523027 3507037"),
    (Words("trachea deviated to the left", "tchawica przesunięta w lewo", "Trachea nach links verlagert"), "3507045"),
    (Words("trachea deviated to the right", "tchawica przesunięta w prawo", "Trachea nach rechts verlagert"), "3507047"),
    (Words("distended neck veins", "poszerzone żyły szyjne", "gestaute Halsvenen"), "3507025"),
    (Words("unremarkable", "bez zmian", "unauffällig"), "3507029"),
    (Words("reactive, equal", "równe, reagują na światło", "gleich, lichtreagibel"), "3518047"),
    (Words("reactive", "reaguje na światło", "lichtreagibel"), "3518051"),
    (Words("sluggish", "reaguje leniwie", "träge"), "3518053"),
    (Words("not reactive", "nie reaguje", "lichtstarr"), "3518037"),
    (Words("dilated", "szeroka", "weit"), "3518061"),
    (Words("pinpoint", "szpilkowata", "stecknadelkopfgroß"), "3518063"),
    (Words("facial droop, left", "opadanie kącika ust po lewej", "hängender Mundwinkel links"), "3520039"),
    (Words("facial droop, right", "opadanie kącika ust po prawej", "hängender Mundwinkel rechts"), "3520041"),
    (Words("arm drift, left", "opadanie lewej ręki", "Absinken des linken Arms"), "3520051"),
    (Words("arm drift, right", "opadanie prawej ręki", "Absinken des rechten Arms"), "3520053"),
    (Words("normal speech", "mowa prawidłowa", "normale Sprache"), "3520027"),
    (Words("slurred speech", "mowa niewyraźna", "verwaschene Sprache"), "3520029"),
    (Words("aphasia", "afazja", "Aphasie"), "3520003"),
)  # fmt: skip
_SITES = (
    ("left", "po lewej", "links", "3522001 3517003 3524001"),
    ("right", "po prawej", "rechts", "3522003 3517005 3524005"),
    ("back of the chest", "tył klatki piersiowej", "hinten", "3524011"),
    ("left upper quadrant", "lewy górny kwadrant", "linker oberer Quadrant", "3510005"),
    ("right upper quadrant", "prawy górny kwadrant", "rechter oberer Quadrant", "3510011"),
    ("left lower quadrant", "lewy dolny kwadrant", "linker unterer Quadrant", "3510003"),
    ("right lower quadrant", "prawy dolny kwadrant", "rechter unterer Quadrant", "3510009"),
    ("cervical spine", "odcinek szyjny", "Halswirbelsäule", "3513005"),
    ("thoracic spine", "odcinek piersiowy", "Brustwirbelsäule", "3513017"),
    ("lumbar spine", "odcinek lędźwiowy", "Lendenwirbelsäule", "3513011"),
    ("sacrum", "kość krzyżowa", "Kreuzbein", "3513023"),
    ("left upper arm", "lewe ramię", "linker Oberarm", "3515005"),
    ("right upper arm", "prawe ramię", "rechter Oberarm", "3515007"),
    ("left forearm", "lewe przedramię", "linker Unterarm", "3515037"),
    ("right forearm", "prawe przedramię", "rechter Unterarm", "3515039"),
    ("left hand", "lewa dłoń", "linke Hand", "3515101"),
    ("right hand", "prawa dłoń", "rechte Hand", "3515103"),
    ("left thigh", "lewe udo", "linker Oberschenkel", "3515061"),
    ("right thigh", "prawe udo", "rechter Oberschenkel", "3515063"),
    ("left lower leg", "lewe podudzie", "linker Unterschenkel", "3515057"),
    ("right lower leg", "prawe podudzie", "rechter Unterschenkel", "3515059"),
    ("left foot", "lewa stopa", "linker Fuß", "3515109"),
    ("right foot", "prawa stopa", "rechter Fuß", "3515111"),
)  # fmt: skip

FINDING_WORDS: Final[Mapping[str, Words]] = MappingProxyType(
    {code: words for words, codes in _FINDINGS for code in codes.split()}
    | {code: Words(english, polish, german) for english, polish, german, codes in _SITES for code in codes.split()}
)
"""Words of findings and sites by their code of NEMSIS."""
