"""A term of the nomenclature: its name, kind, and codes in other systems. A row is flat and positional, so that a table
reads like the standard's and needs little memory.
"""

from typing import NamedTuple

from protocols.ieee11073.nomenclature.code import Code


class Term(NamedTuple):
    """One row of a table. `number` is the code within `partition`.

    `kind` is one of: object, attr, action, notification, device, metric, event, unit, site, code, unknown. `units` are
    the UCUM units of a metric, separated by "|", the usual one first, or the unit itself for the kind unit. `loinc` is
    the equivalent LOINC code, `loinc_display` its name. Empty: none or unknown.
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
        """Return the usual UCUM unit; "" where there is none."""
        return self.units.partition("|")[0]


def unknown_term(code: Code) -> Term:
    """Return a term for a code that is in no table, so that callers need no special case. Its name is
    `partition:code`."""
    name = f"{code.partition}:{code.code}"
    return Term(name, code.partition, code.code, "unknown", name)
