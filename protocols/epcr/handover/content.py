"""Content of a hand-over: the facts of a care record in the order in which crews state them.

    content = handover_content(record, readings, wording, order=Order.IMIST_AMBO, signed=False)
    for item in content.items:                    # the first screen, in its order
        item.title, item.brief, item.is_missing
        item.facts                                # all facts of the item, for the pages behind the first screen
    content.state, content.newest                 # "Preliminary, not signed", "Newest value 12 s ago"

`record` is the visible record of the treating hospital (`projection.treatment_record`). Each item has all its facts,
and `brief`, which has the most important ones within a budget of words: the first screen has at most `WORDS_MAX` words,
so that it is read in half a minute. An item without a fact is missing, and is named. Void entries are no facts.

The orders are IMIST-AMBO and, for trauma, ATMIST; what ATMIST does not name follows in `further`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocols.epcr.element import NotRecorded
from protocols.epcr.handover.labels import ITEM_MISSING, ITEM_TITLES, LABELS, PHRASES, Item
from protocols.epcr.handover.order import Order
from protocols.epcr.handover.readings import SIGN_NAMES, Reading, Sign
from protocols.epcr.handover.signatures import HandoverSignature, signatures_of
from protocols.epcr.handover.wording import Wording, microseconds_of
from protocols.epcr.projection import YEARS, VisibleField, VisibleRecord

WORDS_MAX = 120
"""Words of the first screen, with its titles: what a listener takes in within half a minute."""


_ORDERS: Final[Mapping[Order, tuple[Item, ...]]] = MappingProxyType(
    {
        Order.IMIST_AMBO: (
            *(Item.IDENTITY, Item.MECHANISM, Item.INJURIES, Item.SIGNS, Item.TREATMENT),
            *(Item.ALLERGIES, Item.MEDICINES, Item.BACKGROUND, Item.OTHER),
        ),
        Order.ATMIST: (*(Item.IDENTITY, Item.TIME, Item.MECHANISM, Item.INJURIES, Item.SIGNS, Item.TREATMENT),),
    }
)
_FURTHER: Final = (Item.ALLERGIES, Item.MEDICINES, Item.BACKGROUND, Item.OTHER)
_BUDGETS: Final[Mapping[Item, int]] = MappingProxyType(
    {
        Item.IDENTITY: 8,
        Item.TIME: 6,
        Item.MECHANISM: 16,
        Item.INJURIES: 12,
        Item.SIGNS: 22,
        Item.TREATMENT: 20,
        Item.ALLERGIES: 5,
        Item.MEDICINES: 6,
        Item.BACKGROUND: 6,
        Item.OTHER: 5,
    }
)
"""Words of each item's brief facts. With the titles, the state and the age they are below `WORDS_MAX`."""
_ROWS: Final[Mapping[Item, tuple[str, ...]]] = MappingProxyType(
    {
        Item.TIME: (
            "situation.onset",
            "situation.last_known_well",
            "arrest.time",
            "times.at_patient",
            "times.on_scene",
        ),
        Item.MECHANISM: (
            *("arrest.present", "injury.mechanism", "injury.cause", "situation.complaint", "situation.primary_symptom"),
            *("situation.primary_impression", "situation.onset", "situation.last_known_well", "situation.duration"),
            *("injury.height_of_fall", "injury.safety_equipment", "injury.airbag", "arrest.time", "arrest.cause"),
            *("arrest.witnessed_by", "arrest.first_rhythm", "arrest.first_cpr"),
        ),
        Item.INJURIES: (
            *("arrest.rosc", "arrest.rhythm_at_destination", "situation.acuity", "injury.high_risk"),
            *("injury.moderate_risk", "situation.secondary_impressions", "situation.other_symptoms"),
            *("exam.mental", "exam.neurological", "exam.skin", "exam.head", "exam.face", "exam.neck", "exam.heart"),
            *("exam.pelvis", "lungs.findings", "chest.findings", "abdomen.findings", "spine.findings"),
            *("limbs.findings", "eyes.findings", "exam.weight", "exam.stroke_resolved"),
        ),
        Item.ALLERGIES: ("history.drug_allergies", "history.other_allergies"),
        Item.BACKGROUND: (
            *("history.directives", "history.conditions", "history.pregnancy", "history.substances"),
            "history.last_intake",
        ),
        Item.OTHER: (
            *("disposition.destination", "team_alerts.team", "history.barriers", "patient.language", "scene.triage"),
            *("disposition.hospital_capability", "narrative.text"),
        ),
    }
)
"""Elements of each item whose facts need no rule of their own, in the order in which they are stated."""
_UNLABELLED: Final = frozenset(
    """
    arrest.present injury.mechanism injury.cause situation.complaint situation.primary_symptom
    situation.primary_impression arrest.first_rhythm arrest.rosc situation.acuity situation.secondary_impressions
    history.drug_allergies history.other_allergies history.directives history.conditions history.pregnancy
    disposition.destination
    """.split()  # noqa: SIM905
)
"""Elements whose values are understood without the name of the element."""
_TRIVIAL: Final[Mapping[str, str]] = MappingProxyType({"arrest.present": "3001001"})
"""Values that a hand-over does not state."""
_MEDICATION, _PROCEDURE, _OWN_MEDICINE = "medications", "procedures", "own_medicines"
_LOWEST_MATTERS: Final = frozenset((Sign.SPO2, Sign.PRESSURE, Sign.GCS, Sign.GLUCOSE))
"""Signs whose lowest reading is the worst one. Of others both ends may be."""


@dataclass(frozen=True, slots=True)
class HandoverItem:
    """One item of a hand-over. `facts` are all its facts, `brief` the most important ones; both empty for one that is
    missing, of which `missing` is the sentence that names it."""

    item: Item
    title: str
    facts: tuple[str, ...]
    brief: tuple[str, ...]
    missing: str

    @property
    def is_missing(self) -> bool:
        return not self.facts


@dataclass(frozen=True, slots=True)
class VitalsRow:
    """One set of vital signs of the crew: its time, and the text of each sign that has one."""

    time: str
    texts: Mapping[Sign, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverContent:
    """Content of a hand-over, in the words of its language. `made_at`: when. `state`: whether it is signed, and whether
    a part of the record is missing. `newest`: the age of the newest value, empty where there is none. `arrival`: when
    the patient arrives or arrived, empty where that is not stated. `items` are the first screen, `further` what the
    order does not name. `missing` are sentences, one for each missing item."""

    order: Order
    title: str
    made_at: str
    state: str
    newest: str
    arrival: str
    items: tuple[HandoverItem, ...]
    further: tuple[HandoverItem, ...]
    missing: tuple[str, ...]
    vitals: tuple[VitalsRow, ...]
    signatures: tuple[HandoverSignature, ...] = ()

    @property
    def first_screen_words(self) -> int:
        """Number of words of the first screen."""
        texts = [self.title, self.state, self.newest, self.arrival]
        for item in self.items:
            texts += [item.title, *(item.brief or (item.missing,))]
        return sum(len(text.split()) for text in texts)


def handover_content(
    record: VisibleRecord,
    readings: Sequence[Reading],
    wording: Wording,
    *,
    order: Order,
    signed: bool,
    partial: bool = False,
    arrival: str = "",
) -> HandoverContent:
    """Select the facts of a hand-over. `readings` are those of the crew and of devices (`readings`), oldest first.
    `partial`: a part of the record is not here, so that a missing item may have been stated. `arrival` is the sentence
    about the arrival (`arrival.arrival_words`)."""
    facts = _Facts(record, readings, wording)
    items = tuple(_item(item, facts, wording) for item in _ORDERS[order])
    further = tuple(_item(item, facts, wording) for item in _FURTHER if item not in _ORDERS[order])
    newest_us = max((each.at_us for each in readings if each.at_us <= wording.now_us), default=None)
    age = None if newest_us is None else wording.age(newest_us)
    state = wording.words(PHRASES["signed" if signed else "preliminary"])
    if partial:
        state = f"{wording.words(PHRASES['partial'])} · {state}"
    return HandoverContent(
        order=order,
        title=wording.words(PHRASES["title"]),
        made_at=wording.clock_time(wording.now_us),
        state=state,
        newest="" if age is None else wording.words(PHRASES["newest"]).format(age=age),
        arrival=arrival,
        items=items,
        further=further,
        missing=tuple(item.missing for item in (*items, *further) if item.is_missing),
        vitals=_vitals(readings, wording),
        signatures=signatures_of(record, wording),
    )


def _item(item: Item, facts: "_Facts", wording: Wording) -> HandoverItem:
    found = tuple(dict.fromkeys(facts.of(item)))
    brief = _brief(facts.brief(item) or found, _BUDGETS[item])
    missing = wording.words(ITEM_MISSING[item])
    return HandoverItem(item, wording.words(ITEM_TITLES[item]), found, brief if found else (), missing)


def _brief(facts: Sequence[str], words_max: int) -> tuple[str, ...]:
    """Return the first facts within a number of words, with the number of the others at the end. A fact that alone has
    more words is cut, and shows that it is."""
    chosen: list[str] = []
    left = words_max
    for place, fact in enumerate(facts):
        words = fact.split(" ")
        more = len(facts) - place - 1
        room = left - (1 if more else 0)
        count = len(fact.split())
        if count <= room:
            chosen.append(fact)
            left -= count
            continue
        if not chosen:
            chosen.append(f"{' '.join(words[: max(1, words_max // 2)])} …")
            more = len(facts) - 1
        else:
            more += 1
        if more:
            chosen.append(f"+{more}")
        break
    return tuple(chosen)


class _Facts:
    """The facts of one record, by item."""

    def __init__(self, record: VisibleRecord, readings: Sequence[Reading], wording: Wording) -> None:
        self._readings = readings
        self._wording = wording
        self._fields: dict[str, list[VisibleField]] = {}
        self._entries: dict[str, dict[str, dict[str, VisibleField]]] = {}
        for field in record.fields:
            if field.void or _is_silent(field):
                continue
            self._fields.setdefault(field.element.key, []).append(field)
            group = self._entries.setdefault(field.element.group, {})
            group.setdefault(field.entry, {})[field.element.key.partition(".")[2]] = field
        self._rules: Mapping[Item, Callable[[], Iterator[str]]] = {
            Item.IDENTITY: self._identity,
            Item.SIGNS: self._signs,
            Item.TREATMENT: self._treatment,
            Item.MEDICINES: self._medicines,
        }

    def of(self, item: Item) -> Iterator[str]:
        """Yield all facts of an item."""
        rule = self._rules.get(item)
        return self._plain(item) if rule is None else rule()

    def brief(self, item: Item) -> list[str]:
        """Return the facts of an item in short form; empty where the facts themselves are short."""
        match item:
            case Item.SIGNS:
                return list(self._brief_signs())
            case Item.TREATMENT:
                return list(self._brief_treatment())
        return []

    def _plain(self, item: Item) -> Iterator[str]:
        for key in _ROWS[item]:
            for field in self._fields.get(key, ()):
                if key in _TRIVIAL and {each.value for each in field.shown} == {_TRIVIAL[key]}:
                    continue
                text = self._wording.field(field)
                if key == "situation.duration":
                    text = f"{text} {self._text('situation.duration_unit')}".strip()
                if site := self._site(field):
                    text = f"{site}: {text}"
                yield text if key in _UNLABELLED else self._labelled(field.element.key, text)

    def _site(self, field: VisibleField) -> str:
        """Return the site or side that the entry of a finding states, or ""."""
        fields = self._entries[field.element.group][field.entry]
        found = fields.get("site") or fields.get("side")
        return "" if found is None or field is found else self._wording.field(found)

    def _labelled(self, key: str, text: str) -> str:
        label = LABELS.get(key)
        assert label is not None, f"{key} has a label"
        return f"{self._wording.words(label)} {text}"

    def _text(self, key: str) -> str:
        return ", ".join(self._wording.field(field) for field in self._fields.get(key, ()))

    def _identity(self) -> Iterator[str]:
        names = [self._text("patient.first_name"), self._text("patient.last_name")]
        if name := " ".join(filter(None, names)):
            yield name
        if sex := self._text("patient.sex"):
            yield sex
        if age := self._text("patient.age"):
            units = {each.value for field in self._fields.get("patient.age_unit", ()) for each in field.shown}
            unit = self._wording.years(age) if units <= {YEARS} else self._text("patient.age_unit")
            yield f"{age} {unit}"
        for key in ("patient.birth_date", "patient.national_number"):
            if text := self._text(key):
                yield self._labelled(key, text)

    # ---- signs

    def _signs(self) -> Iterator[str]:
        avpu, rhythm = self._latest("avpu"), self._latest("rhythm")
        yield from filter(None, (avpu, rhythm))
        for sign in Sign:
            yield from self._sign(sign)
        if stroke := self._latest("stroke_result"):
            yield self._labelled("vitals.stroke_result", stroke)

    def _sign(self, sign: Sign) -> Iterator[str]:
        """Yield one sentence about the course of a sign: its first, worst and last reading with times and sources."""
        found = [each for each in self._readings if each.sign is sign]
        if not found:
            return
        numbers = [each for each in found if each.number is not None]
        parts = [self._sourced("first", found[0])] if len(found) > 1 else []
        if numbers:
            lowest, highest = _extremes(numbers)
            for phrase, reading in (("lowest", lowest), ("highest", highest)):
                if reading not in (found[0], found[-1]) and (phrase == "lowest" or sign not in _LOWEST_MATTERS):
                    parts.append(self._sourced(phrase, reading))
        parts.append(self._sourced("last", found[-1]))
        yield f"{self._wording.words(SIGN_NAMES[sign])}: {', '.join(parts)}"

    def _sourced(self, phrase: str, reading: Reading) -> str:
        source = self._wording.words(PHRASES["crew"]) if reading.device is None else reading.device
        doubt = f", {self._wording.words(PHRASES['doubtful'])}" if reading.doubtful else ""
        when = self._wording.time(reading.at_us)
        word = self._wording.words(PHRASES[phrase])
        return f"{word} {reading.text(self._wording)} {when} ({source}{doubt})"

    def _brief_signs(self) -> Iterator[str]:
        yield from filter(None, (self._latest("avpu"), self._latest("rhythm")))
        for sign in Sign:
            found = [each for each in self._readings if each.sign is sign]
            if not found:
                continue
            name, last = self._wording.words(SIGN_NAMES[sign]), found[-1].text(self._wording)
            numbers = [each for each in found if each.number is not None]
            if len(numbers) < 2 or found[-1].number is None:
                yield f"{name} {last}"
                continue
            first, lowest = numbers[0].text(self._wording, with_unit=False), _extremes(numbers)[0]
            course = f"{name} {first}→{last}" if numbers[0].numbers != found[-1].numbers else f"{name} {last}"
            worst = lowest.numbers not in (numbers[0].numbers, found[-1].numbers) and sign in _LOWEST_MATTERS
            yield f"{course} (min{_NO_BREAK}{lowest.text(self._wording, with_unit=False)})" if worst else course

    def _latest(self, name: str) -> str:
        """Return the latest value of an element of the vital signs."""
        sets = [fields for fields in self._entries.get("vitals", {}).values() if name in fields]
        if not sets:
            return ""
        last = max(sets, key=_time_of)
        return self._wording.field(last[name])

    # ---- treatment

    def _treatment(self) -> Iterator[str]:
        for fields in self._in_time(_MEDICATION):
            if "drug" in fields:
                yield self._with_time(fields, self._medication(fields))
        for fields in self._in_time(_PROCEDURE):
            if "procedure" in fields:
                yield self._with_time(fields, self._procedure(fields))

    def _brief_treatment(self) -> Iterator[str]:
        """Yield each different treatment once, with its number and its last time."""
        for group, name, text in ((_MEDICATION, "drug", self._medication), (_PROCEDURE, "procedure", self._procedure)):
            rows: dict[str, list[dict[str, VisibleField]]] = {}
            for fields in self._in_time(group):
                if name in fields:
                    rows.setdefault(text(fields, response=False), []).append(fields)
            for one, entries in rows.items():
                yield self._with_time(entries[-1], one if len(entries) == 1 else f"{one} ×{len(entries)}")

    def _medication(self, fields: Mapping[str, VisibleField], *, response: bool = True) -> str:
        parts = [self._wording.field(fields["drug"]), self._dose(fields)]
        for name in ("route", "response") if response else ("route",):
            if name in fields:
                parts.append(self._wording.field(fields[name]))
        return " ".join(filter(None, parts))

    def _procedure(self, fields: Mapping[str, VisibleField], *, response: bool = True) -> str:
        text = self._wording.field(fields["procedure"])
        if "success" in fields and fields["success"].shown[0].value == "9923001":
            text = f"{text} ({self._wording.words(PHRASES['failed'])})"
        if response and "size" in fields:
            text = f"{text} {self._wording.field(fields['size'])}"
        return text

    def _dose(self, fields: Mapping[str, VisibleField]) -> str:
        dose, unit = fields.get("dose"), fields.get("dose_unit")
        if dose is None:
            return ""
        if dose.contradicting or dose.shown[0].value is None:
            return self._wording.field(dose)
        return self._wording.dose(dose.shown[0].value, "" if unit is None else unit.shown[0].value or "")

    def _medicines(self) -> Iterator[str]:
        for fields in self._entries.get(_OWN_MEDICINE, {}).values():
            if "drug" in fields:
                yield " ".join(filter(None, (self._wording.field(fields["drug"]), self._own_dose(fields))))

    def _own_dose(self, fields: Mapping[str, VisibleField]) -> str:
        return self._wording.field(fields["dose"]) if "dose" in fields else ""

    def _in_time(self, group: str) -> list[dict[str, VisibleField]]:
        return sorted(self._entries.get(group, {}).values(), key=_time_of)

    def _with_time(self, fields: Mapping[str, VisibleField], text: str) -> str:
        return f"{text} {self._wording.field(fields['time'])}" if "time" in fields else text


_NO_BREAK = "\u00a0"


def _is_silent(field: VisibleField) -> bool:
    """Return whether all that is stated is that the element is not recorded."""
    silent = (NotRecorded.NOT_RECORDED, NotRecorded.NOT_REPORTING)
    return all(each.not_recorded in silent for each in (*field.shown, *field.contradicting))


def _extremes(readings: Sequence[Reading]) -> tuple[Reading, Reading]:
    ranked = sorted(readings, key=lambda each: each.number or 0.0)
    return ranked[0], ranked[-1]


def _time_of(fields: Mapping[str, VisibleField]) -> int:
    """Return the time of an entry in µs since 1970: as stated, otherwise when it was recorded."""
    stated = fields.get("time")
    if stated is not None and (value := stated.shown[0].value) is not None:
        return microseconds_of(value)
    return min(statement.recorded_us for field in fields.values() for statement in field.shown)


def _vitals(readings: Sequence[Reading], wording: Wording) -> tuple[VitalsRow, ...]:
    """Return the crew's sets of vital signs, oldest first."""
    sets: dict[str, list[Reading]] = {}
    for each in readings:
        if each.device is None:
            sets.setdefault(each.entry, []).append(each)
    return tuple(
        VitalsRow(wording.time(found[0].at_us), {each.sign: each.text(wording) for each in found})
        for found in sets.values()
    )
