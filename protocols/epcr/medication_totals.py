"""Running totals of the medications of a record, and doses that two authors may both have entered."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from protocols.epcr.draft import SAME_DOSE_US
from protocols.epcr.entries import Entries


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of the doses of a drug in one unit, and their number."""

    drug: str
    unit: str
    amount: str
    doses: int


@dataclass(frozen=True, slots=True)
class SameDose:
    """Two entries that may be one dose."""

    first: str
    second: str


def totals(stated: Entries) -> list[Total]:
    """Return the total of each drug and unit, in the order of the first dose. Doses that were not given, of void
    entries, or without an amount are left out."""
    sums: dict[tuple[str, str], tuple[Decimal, int]] = {}
    for entry in stated.entries("medications"):
        drug = stated.field("medications.drug", entry)
        if drug is None or drug.shown[-1].negative is not None or drug.shown[-1].value is None:
            continue
        amount = _amount(stated.value("medications.dose", entry))
        if amount is None:
            continue
        name = drug.shown[-1].value, stated.value("medications.dose_unit", entry) or ""
        before, doses = sums.get(name, (Decimal(0), 0))
        sums[name] = before + amount, doses + 1
    return [Total(drug, unit, _text(amount), doses) for (drug, unit), (amount, doses) in sums.items()]


def same_doses(stated: Entries) -> list[SameDose]:
    """Return the pairs of entries with one drug and dose within two minutes by different authors. The crew decides
    whether they are one dose; nothing is merged."""
    found = []
    seen: dict[tuple[str, str, str], list[tuple[str, int, str]]] = {}
    for entry in stated.entries("medications"):
        drug, at_us = stated.field("medications.drug", entry), stated.time_us("medications.time", entry)
        amount = _amount(stated.value("medications.dose", entry))
        if drug is None or drug.shown[-1].value is None or at_us is None or amount is None:
            continue
        author = drug.shown[-1].author
        name = drug.shown[-1].value, _text(amount), stated.value("medications.dose_unit", entry) or ""
        for earlier, earlier_us, other in seen.get(name, ()):
            if other != author and abs(at_us - earlier_us) <= SAME_DOSE_US:
                found.append(SameDose(earlier, entry))
        seen.setdefault(name, []).append((entry, at_us, author))
    return found


def _amount(text: str | None) -> Decimal | None:
    try:
        amount = Decimal(text or "")
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _text(amount: Decimal) -> str:
    """Return an amount without trailing zeros and without an exponent: 0.50 and 0.5 are one dose."""
    plain = f"{amount:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
