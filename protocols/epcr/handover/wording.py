"""The one rendering of values of a hand-over as text, for page, PDF and bundle alike.

A value is worded from its element and its statement, and nothing is computed: a dose of "0.50" stays 0.50. What has no
words is shown as its code, and what contradicts it is shown beside it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from protocols.epcr.element import Element, Negative, NotRecorded
from protocols.epcr.handover.code_words import CONCEPTS, DIAGNOSES, DRUGS, LIST_CODES, UNITS
from protocols.epcr.handover.language import Language, Words
from protocols.epcr.projection import VisibleField, VisibleStatement
from protocols.epcr.units import DOSE_UNITS, RATE_UNITS, canonical_number
from protocols.epcr.value_sets import Decimal, Digits, EitherOf, Icd10, ListCode, Moment, ValueSet, Whole

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH - timedelta(days=1)) // timedelta(microseconds=1)
_SPACE = "\u00a0"
"""Space between a number and its unit, where no line may end."""
_NEGATIVES = {
    Negative.CONTRAINDICATED: Words("contraindicated", "przeciwwskazane", "kontraindiziert"),
    Negative.DENIED_BY_ORDER: Words("denied by order", "brak zgody lekarza", "ärztlich untersagt"),
    Negative.FINDING_NOT_PRESENT: Words("not present", "nie stwierdzono", "nicht vorhanden"),
    Negative.ALLERGY: Words("allergy", "uczulenie", "Allergie"),
    Negative.ALREADY_TAKEN: Words("already taken", "już przyjęto", "bereits eingenommen"),
    Negative.NO_KNOWN_DRUG_ALLERGY: Words("none known", "brak znanych", "keine bekannt"),
    Negative.NONE_REPORTED: Words("none reported", "nie zgłoszono", "keine angegeben"),
    Negative.NOT_PERFORMED: Words("not performed", "nie wykonano", "nicht durchgeführt"),
    Negative.REFUSED: Words("refused", "odmowa", "abgelehnt"),
    Negative.UNRESPONSIVE: Words("patient unresponsive", "pacjent nie reaguje", "Patient nicht ansprechbar"),
    Negative.UNABLE_TO_COMPLETE: Words("not possible", "niemożliwe", "nicht möglich"),
    Negative.NOT_IMMUNISED: Words("not immunised", "nieszczepiony", "nicht geimpft"),
    Negative.CRITERIA_NOT_MET: Words("criteria not met", "nie spełnia kryteriów", "Kriterien nicht erfüllt"),
    Negative.APPROXIMATE: Words("approximately", "około", "ungefähr"),
    Negative.SYMPTOM_NOT_PRESENT: Words("absent", "nie występuje", "nicht vorhanden"),
}
_REASONS = {
    NotRecorded.NOT_APPLICABLE: Words("not applicable", "nie dotyczy", "nicht zutreffend"),
    NotRecorded.NOT_RECORDED: Words("not recorded", "nie odnotowano", "nicht dokumentiert"),
    NotRecorded.NOT_REPORTING: Words("not recorded", "nie odnotowano", "nicht dokumentiert"),
}
_VALUE_WORDS = {
    "High": Words("above range", "powyżej zakresu", "über Messbereich"),
    "Low": Words("below range", "poniżej zakresu", "unter Messbereich"),
    "P": Words("palpated", "palpacyjnie", "palpatorisch"),
}
_CODE = Words("code", "kod", "Code")
_OR = Words("or", "lub", "oder")
_TWO_ANSWERS = Words("two answers", "dwie odpowiedzi", "zwei Angaben")
_TIME_SEPARATOR = " "
_DIRECTION_MARKS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), *range(0x7F, 0xA0))
_LEFT_OUT = dict.fromkeys((*_DIRECTION_MARKS, *_CONTROLS))
"""Characters of a text that are not shown: a mark that changes the direction of what follows (Unicode UAX 9) would turn
the dose after a name, and no document may have control characters (XML 1.0 §2.2)."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Words of one hand-over: its language, the time zone of its times, and the time of its making in µs since 1970. A
    time of another day is written with its date."""

    language: Language
    zone: tzinfo
    now_us: int

    def words(self, words: Words) -> str:
        """Return a text in the language."""
        return words.of(self.language)

    def field(self, field: VisibleField) -> str:
        """Return the content of a field: all its values, and what contradicts them."""
        shown = self._unique(field.element, field.shown)
        others = [text for text in self._unique(field.element, field.contradicting) if text not in shown]
        text = ", ".join(shown)
        if not others:
            return text
        joined = f" {self.words(_OR)} ".join((text, *others))
        return f"{joined} ({self.words(_TWO_ANSWERS)})"

    def statement(self, element: Element, statement: VisibleStatement) -> str:
        """Return the content of one statement."""
        negative = None if statement.negative is None else self.words(_NEGATIVES[statement.negative])
        if statement.value is None:
            if negative is not None:
                return negative
            return self.words(_REASONS[statement.not_recorded or NotRecorded.NOT_RECORDED])
        text = self.value(element.values, statement.value)
        if statement.or_more:
            text = f"≥{_SPACE}{text}"
        if statement.negative is Negative.APPROXIMATE:
            return f"{negative} {text}"
        return text if negative is None else f"{text}: {negative}"

    def value(self, values: ValueSet, value: str) -> str:
        """Return a value of a value set."""
        match values:
            case Whole(words=words) if value in words:
                return self.words(_VALUE_WORDS[value]) if value in _VALUE_WORDS else value
            case Whole(unit=unit) | Decimal(unit=unit):
                return self.quantity(value, unit)
            case Moment():
                return self.moment(value)
        return self.code(values, value) if values.kind == "code" else self.text(value)

    def text(self, text: str) -> str:
        """Return a free text without the characters that are not shown."""
        return text.translate(_LEFT_OUT)

    def code(self, values: ValueSet, code: str) -> str:
        """Return the words of a code, or the code with the name of its system."""
        match values:
            case ListCode():
                known = LIST_CODES.get(code)
                return f"{self.words(_CODE)}{_SPACE}{code}" if known is None else self.words(known)
            case Icd10():
                known = DIAGNOSES.get(code) or DIAGNOSES.get(code[:3])
                return f"ICD-10{_SPACE}{code}" if known is None else f"{self.words(known)} ({code})"
            case EitherOf(first=first, second=second):
                return self.code(first if first.permits(code) else second, code)
            case Digits(terminology=terminology):
                known = CONCEPTS.get(code) or (None if terminology == "SNOMED CT" else DRUGS.get(code))
                system = (
                    terminology if " or " not in terminology else terminology.partition(" or ")[len(code) > 7 and 2]
                )
                return f"{system}{_SPACE}{code}" if known is None else self.words(known)
        return code

    def dose(self, number: str, unit: str) -> str:
        """Return a dose; `unit` is a code of NEMSIS, or empty."""
        ucum = DOSE_UNITS.get(unit) or RATE_UNITS.get(unit)
        if ucum is not None:
            return self.quantity(number, ucum)
        return self.number(number) if not unit else f"{self.number(number)} ({self.words(_CODE)}{_SPACE}{unit})"

    def number(self, number: str) -> str:
        """Return a decimal number, with the decimal mark of the language."""
        return canonical_number(number).replace(".", self.language.decimal_mark)

    def unit(self, ucum: str) -> str:
        """Return a UCUM unit as people write it; "" for none."""
        known = UNITS.get(ucum)
        return ucum if known is None else self.words(known)

    def quantity(self, number: str, ucum: str) -> str:
        unit = self.unit(ucum)
        return f"{self.number(number)}{_SPACE}{unit}" if unit else self.number(number)

    def years(self, number: str) -> str:
        """Return the word for this number of years (Unicode CLDR, plural rules of English, German and Polish)."""
        if number == "1":
            return self.words(Words("year", "rok", "Jahr"))
        few = number[-1:] in ("2", "3", "4") and number[-2:-1] != "1"
        return self.words(Words("years", "lata" if few else "lat", "Jahre"))

    def moment(self, text: str) -> str:
        """Return a time that was stated with its offset."""
        return self._time(datetime.fromisoformat(text))

    def time(self, at_us: int) -> str:
        """Return a time in µs since 1970."""
        return self._time(_EPOCH + timedelta(microseconds=min(max(at_us, 0), _LAST_US)))

    def clock_time(self, at_us: int) -> str:
        """Return date, hour, minute and second of a time in µs since 1970."""
        return self._local(_EPOCH + timedelta(microseconds=min(max(at_us, 0), _LAST_US))).strftime("%Y-%m-%d %H:%M:%S")

    def age(self, at_us: int) -> str:
        """Return the time that passed since `at_us`: "now", seconds, minutes, or hours and minutes."""
        seconds = max(0, self.now_us - at_us) // 1_000_000
        if seconds < 120:
            return f"{seconds}{_SPACE}s"
        minutes = seconds // 60
        if minutes < 120:
            return f"{minutes}{_SPACE}min"
        return f"{minutes // 60}{_SPACE}h {minutes % 60}{_SPACE}min"

    def _time(self, moment: datetime) -> str:
        local, today = self._local(moment), self._local(_EPOCH + timedelta(microseconds=self.now_us))
        return local.strftime("%H:%M" if local.date() == today.date() else f"%Y-%m-%d{_TIME_SEPARATOR}%H:%M")

    def _local(self, moment: datetime) -> datetime:
        try:
            return moment.astimezone(self.zone)
        except OverflowError:  # a time of year 1 or 9999, which only a faulty clock gives
            return moment

    def _unique(self, element: Element, statements: tuple[VisibleStatement, ...]) -> list[str]:
        return list(dict.fromkeys(self.statement(element, statement) for statement in statements))


def microseconds_of(text: str) -> int:
    """Return a stated time with an offset as µs since 1970."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
