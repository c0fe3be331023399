"""The table of the file formats. A new format is a module that yields rows, and one line here."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from protocols.sanctions.entry import Row
from protocols.sanctions.eu_xml import read_eu_xml
from protocols.sanctions.ofac_csv import read_ofac_csv
from protocols.sanctions.ofac_xml import read_ofac_xml
from protocols.sanctions.un_xml import read_un_xml
from protocols.sanctions.wallet_labels import read_wallet_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFormat:
    """A file format. `list_name` is the name of the list that a file of this format usually is. `read` yields the rows
    of a file; `read_with_aliases`, where the format has it, also takes a second file with the aliases."""

    list_name: str
    meaning: str
    read: Callable[[Iterable[bytes]], Iterator[Row]]
    read_with_aliases: Callable[[Iterable[bytes], Iterable[bytes]], Iterator[Row]] | None = None


FORMATS: Mapping[str, ListFormat] = {
    "ofac-xml": ListFormat(list_name="ofac-sdn", meaning="OFAC, sdn.xml or consolidated.xml", read=read_ofac_xml),
    "ofac-csv": ListFormat(
        list_name="ofac-sdn",
        meaning="OFAC, SDN.CSV with ALT.CSV as its aliases",
        read=read_ofac_csv,
        read_with_aliases=read_ofac_csv,
    ),
    "un-xml": ListFormat(list_name="un-consolidated", meaning="United Nations, consolidated.xml", read=read_un_xml),
    "eu-xml": ListFormat(
        list_name="eu-consolidated", meaning="European Union, xmlFullSanctionsList_1_1", read=read_eu_xml
    ),
    "wallet-labels-csv": ListFormat(
        list_name="wallet-labels", meaning="labels of wallets, CSV with a header", read=read_wallet_labels
    ),
}
"""Name of a format in commands → the format."""
