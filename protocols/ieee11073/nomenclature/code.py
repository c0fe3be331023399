"""A code of the IEEE 11073-10101 nomenclature: a partition and a number.

This pair identifies a term on the wire, in the gateway's buffer and in the cloud; names are for people and JSON
(`tables`). A code without a row keeps its number, so no measurement is dropped because its name is unknown.
"""

from typing import NamedTuple


class Code(NamedTuple):
    """A nomenclature code. `partition` × 65536 + `code` is the context-free code of 11073-10101."""

    partition: int
    code: int

    @property
    def context_free(self) -> int:
        return self.partition << 16 | self.code
