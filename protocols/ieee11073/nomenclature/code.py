"""A code of the IEEE 11073-10101 nomenclature: a partition and a number.

The pair is the identity that travels on the wire, in the buffer and in the cloud; names are looked up only for people
and for JSON (`tables`). A code without a row keeps its number and flows on: no measurement is dropped for want of a
name.
"""

from typing import NamedTuple


class Code(NamedTuple):
    """`partition` × 65536 + `code` is the context-free code of 11073-10101."""

    partition: int
    code: int

    @property
    def context_free(self) -> int:
        return self.partition << 16 | self.code
