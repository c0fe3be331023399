"""A term of the nomenclature: its name, kind, and codes in other systems.

A row is flat and positional so that a table reads like the standard's and stays small in memory. A code without a row
is a term of kind "unknown", so that code that prints or maps a term needs no second path.
"""

from typing import NamedTuple

from protocols.ieee11073.nomenclature.code import Code


class Term(NamedTuple):
    """One row. `number` is the code within `partition`.

    `kind`: object, attr, action, notification, device, metric, event, unit, site, code or unknown. `units` are UCUM
    units, the usual one first, separated by "|": those in which a metric is expressed, or the unit itself; "" where
    there is none or it is unknown. `loinc` is the equivalent LOINC code and `loinc_display` its name, "" where none is
    known.
    """

    ref_id: str
    partition: int
    number: int
    kind: str
    display: str
    units: str = ""
    loinc: str = ""
    loinc_display: str = ""

    @property
    def code(self) -> Code:
        return Code(self.partition, self.number)

    @property
    def ucum(self) -> str:
        """Return the usual UCUM unit, "" where there is none."""
        return self.units.partition("|")[0]


def unknown_term(code: Code) -> Term:
    """Return the term of a code without a row. Its name is its number, `partition:code`, which `code_of` reads back."""
    name = f"{code.partition}:{code.code}"
    return Term(name, code.partition, code.code, "unknown", name)
