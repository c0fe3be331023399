"""Labels of wallets as CSV, a format of ours: who holds an address, from whom this is known, and since when."""

from collections.abc import Iterable, Iterator, Mapping

from protocols.sanctions.dates import read_date
from protocols.sanctions.entry import VALUE_LENGTH_MAX, DocumentRefused, ListedWallet, Row, RowProblem, WalletLabel
from protocols.sanctions.table import read_rows

HEADER = ("asset", "address", "category", "label", "source", "labelled_on")

CATEGORIES: Mapping[str, int] = {
    "sanctioned": 100,
    "terrorist_financing": 100,
    "child_abuse_material": 100,
    "ransomware": 95,
    "stolen_funds": 90,
    "darknet_market": 90,
    "mixer": 85,
    "scam": 80,
    "fraud_shop": 80,
    "high_risk_exchange": 65,
    "gambling": 45,
    "bridge": 35,
    "p2p_exchange": 30,
    "payment_processor": 15,
    "exchange": 10,
    "mining_pool": 5,
}
"""Category of a holder → risk score of its wallets, 0 to 100. The order follows the guidance of FATF on red flags of
virtual assets (2020): crimes first, then means to hide the origin of funds, then services without identification."""


def read_wallet_labels(pieces: Iterable[bytes]) -> Iterator[Row]:
    """Yield the labels. The first row must be the header."""
    rows = read_rows(pieces)
    if tuple(field.lower() for field in next(rows, (1, []))[1]) != HEADER:
        raise DocumentRefused(f"The first line is not the header: {','.join(HEADER)}.")
    for line, row in rows:
        fault = _fault(row)
        if fault is not None:
            yield RowProblem(line, fault)
        else:
            asset, address, category, label, source, labelled_on = row
            yield WalletLabel(
                line=line,
                wallet=ListedWallet(asset, address),
                category=category.lower(),
                label=label,
                source=source,
                labelled_on=read_date(labelled_on),
            )


def _fault(row: list[str]) -> str | None:
    if len(row) != len(HEADER):
        return f"The row has {len(row)} fields instead of {len(HEADER)}."
    asset, address, category, label, source, labelled_on = row
    if not (asset and address and label and source):
        return "asset, address, label and source must not be empty."
    if any(len(field) > VALUE_LENGTH_MAX or "\0" in field for field in row):
        return f"A field has more than {VALUE_LENGTH_MAX} characters, or a NUL character."
    if category.lower() not in CATEGORIES:
        return f"The category is unknown. It is one of: {', '.join(CATEGORIES)}."
    if labelled_on and read_date(labelled_on) is None:
        return "labelled_on is a date, such as 2026-03-24, or empty."
    return None
