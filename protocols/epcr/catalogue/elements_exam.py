"""Elements of an examination, with its findings by part of the body."""

from protocols.epcr.catalogue.words import ABSENT, DECLINED, UNABLE, E, O
from protocols.epcr.element import Element
from protocols.epcr.value_sets import Decimal, ListCode

ELEMENTS = (
    Element("exam.weight", "Weight", "Masa ciała", Decimal(0.1, 999.9, 1, "kg"), E, "eExam.01", "Observation 8335-2", instead=UNABLE),
    Element("exam.length_tape", "Length tape colour", "Kolor taśmy Broselowa", ListCode("3502"), E, "eExam.02", "Observation 67670-0", instead=DECLINED),
    Element("exam.skin", "Skin", "Skóra", ListCode("3504"), O, "eExam.04", "Observation 67524-9", many=True, with_value=ABSENT),
    Element("exam.head", "Head", "Głowa", ListCode("3505"), O, "eExam.05", "Observation 67525-6", many=True, with_value=ABSENT),
    Element("exam.face", "Face", "Twarz", ListCode("3506"), O, "eExam.06", "Observation 67526-4", many=True, with_value=ABSENT),
    Element("exam.neck", "Neck", "Szyja", ListCode("3507"), O, "eExam.07", "Observation 67527-2", many=True, with_value=ABSENT),
    Element("exam.heart", "Heart", "Serce", ListCode("3509"), O, "eExam.09", "Observation 67529-8", many=True, with_value=ABSENT),
    Element("lungs.side", "Side", "Strona", ListCode("3522"), O, "eExam.22", "Observation.bodySite"),
    Element("lungs.findings", "Findings of the lung", "Objawy płucne", ListCode("3523"), O, "eExam.23", "Observation 67528-0", many=True, with_value=ABSENT),
    Element("chest.site", "Site on the chest", "Miejsce na klatce piersiowej", ListCode("3524"), O, "eExam.24", "Observation.bodySite"),
    Element("chest.findings", "Findings of the chest", "Objawy klatki piersiowej", ListCode("3525"), O, "eExam.25", "Observation 67528-0", many=True, with_value=ABSENT),
    Element("abdomen.site", "Site on the abdomen", "Miejsce na brzuchu", ListCode("3510"), O, "eExam.10", "Observation.bodySite"),
    Element("abdomen.findings", "Findings of the abdomen", "Objawy brzuszne", ListCode("3511"), O, "eExam.11", "Observation 67530-6", many=True, with_value=ABSENT),
    Element("exam.pelvis", "Pelvis", "Miednica", ListCode("3512"), O, "eExam.12", "Observation 67531-4", many=True, with_value=ABSENT),
    Element("spine.site", "Site on the back", "Miejsce na plecach", ListCode("3513"), O, "eExam.13", "Observation.bodySite"),
    Element("spine.findings", "Findings of the back", "Objawy kręgosłupa", ListCode("3514"), O, "eExam.14", "Observation 67532-2", many=True, with_value=ABSENT),
    Element("limbs.site", "Site on the limb", "Miejsce na kończynie", ListCode("3515"), O, "eExam.15", "Observation.bodySite"),
    Element("limbs.findings", "Findings of the limb", "Objawy kończyn", ListCode("3516"), O, "eExam.16", "Observation 67533-0", many=True, with_value=ABSENT),
    Element("eyes.side", "Side", "Strona", ListCode("3517"), O, "eExam.17", "Observation.bodySite"),
    Element("eyes.findings", "Findings of the eye", "Objawy oczne", ListCode("3518"), O, "eExam.18", "Observation 67534-8", many=True, with_value=ABSENT),
    Element("exam.mental", "Mental state", "Stan psychiczny", ListCode("3519"), O, "eExam.19", "Observation 67535-5", many=True, with_value=ABSENT),
    Element("exam.neurological", "Neurological state", "Stan neurologiczny", ListCode("3520"), O, "eExam.20", "Observation 67536-3", many=True, with_value=ABSENT),
    Element("exam.stroke_resolved", "Stroke signs resolved", "Ustąpienie objawów udaru", ListCode("3521"), E, "eExam.21", "Observation", instead=UNABLE),
)
