"""Tables of the IEEE 11073-10101 nomenclature: look up the name of a code, and the code of a name."""

from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.nomenclature.tables import UnknownName, all_terms, code_of, name_of, term_of
from protocols.ieee11073.nomenclature.term import Term

__all__ = ["Code", "Term", "UnknownName", "all_terms", "code_of", "name_of", "term_of"]
