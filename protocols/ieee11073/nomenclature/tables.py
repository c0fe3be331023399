"""Index of the tables of terms, with lookup by code and by name.

Rows are in the order of their codes, one on each line, so that a table can be compared with the standard. A table is
imported when one of its codes is first looked up; looking up a name loads all tables. A term without a published
description has one derived from its name.
"""

from functools import cache, lru_cache
from importlib import import_module
from typing import Final

from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.nomenclature.term import Term, unknown_term

TABLES: Final = (
    # partition, first number, last number, module
    (1, 0, 0xFFFF, "terms_infrastructure"),
    (2, 0, 16383, "terms_ecg_leads"),
    (2, 16384, 18431, "terms_ecg"),
    (2, 18432, 20479, "terms_haemodynamics"),
    (2, 20480, 23551, "terms_respiration"),
    (2, 23552, 0xFFFF, "terms_chemistry"),
    (3, 0, 0xFFFF, "terms_events"),
    (4, 0, 0xFFFF, "terms_units"),
    (7, 0, 0xFFFF, "terms_sites_and_devices"),
    (8, 0, 0xFFFF, "terms_sites_and_devices"),
    (11, 0, 0xFFFF, "terms_sites_and_devices"),
    (128, 0, 0xFFFF, "terms_personal_health"),
    (129, 0, 0xFFFF, "terms_personal_health"),
    (130, 0, 0xFFFF, "terms_personal_health"),
    (255, 0, 0xFFFF, "terms_sites_and_devices"),
    (258, 0, 0xFFFF, "terms_sites_and_devices"),
    (1024, 0, 0xFFFF, "terms_private"),
)

PREFERRED: Final = {
    # Sources disagree on these names. Both numbers are read; this one is sent.
    "MDC_ECG_AMPL_ST_V": Code(2, 855),  # one vendor's monitors send 835
    "MDC_ECG_AMPL_ST_MCL": Code(2, 859),  # likewise 843
    "MDC_ECG_AMPL_ST_ES": Code(2, 899),  # likewise 868
    "MDC_ECG_AMPL_ST_AS": Code(2, 900),  # likewise 869
    "MDC_ECG_AMPL_ST_AI": Code(2, 901),  # likewise 870
    "MDC_ECG_V_P_C_MULTIFOCAL": Code(2, 17656),  # its count is 17657; 17016 has the same name
    "MDC_WK_RV_STROKE_INDEX": Code(2, 19572),  # 18696 is also known as MDC_PVT_WK_RV_STROKE_INDEX
    "MDC_DIM_KG_PER_M_SQ": Code(4, 1952),  # personal health devices send 1952, one vendor's monitors 1955
    "MDC_DEV_SPEC_PROFILE_GENERIC": Code(8, 4169),  # 4097 was withdrawn
    "MDC_DEV_SUB_SPEC_PROFILE_STEP_COUNTER": Code(8, 4200),  # 4196 is in one source only
}

_CACHED_CODES = 4096
"""Larger than the number of rows; invented codes of a device evict earlier entries and use no further memory."""


class UnknownName(KeyError):
    """No row has this name, and it is not `partition:code` in decimal."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"no term of the nomenclature is called {self.name!r}"


@lru_cache(_CACHED_CODES)
def term_of(code: Code) -> Term:
    """Return the term of `code`. A code without a row gives a term of kind "unknown"."""
    partition, number = code
    for row_partition, first, last, module in TABLES:
        if partition == row_partition and first <= number <= last:
            return _by_code(module).get(code) or unknown_term(code)
    return unknown_term(code)


@lru_cache(_CACHED_CODES)
def name_of(code: Code) -> str:
    """Return the reference identifier of `code` ("MDC_…"), or "partition:code" (as "2:61731") if it has no row."""
    return term_of(code).ref_id


def code_of(name: str) -> Code:
    """Return the code with the name "MDC_…" or "partition:code". Where two rows share a name, their preferred code is
    returned. Raises `UnknownName` for any other text."""
    known = _by_name().get(name)
    if known is not None:
        return known
    partition, colon, number = name.partition(":")
    if colon and _is_u16(partition) and _is_u16(number):
        return Code(int(partition), int(number))
    raise UnknownName(name)


def all_terms() -> tuple[Term, ...]:
    """Return the rows of all tables, after loading the tables."""
    modules = dict.fromkeys(module for *_, module in TABLES)
    return tuple(term for module in modules for term in _rows(module))


def _rows(module: str) -> tuple[Term, ...]:
    rows: tuple[Term, ...] = import_module(f"{__package__}.{module}").TERMS
    return rows


@cache
def _by_code(module: str) -> dict[Code, Term]:
    return {term.code: term for term in _rows(module)}


@cache
def _by_name() -> dict[str, Code]:
    return {term.ref_id: term.code for term in all_terms()} | PREFERRED


def _is_u16(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 0xFFFF
