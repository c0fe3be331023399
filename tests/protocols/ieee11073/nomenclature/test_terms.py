"""Each known nomenclature code has one name and each name resolves to one code; an unknown code keeps its number."""

import csv
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ieee11073.nomenclature import Code, UnknownName, all_terms, code_of, name_of, term_of
from protocols.ieee11073.nomenclature.tables import PREFERRED, TABLES
from tests.harness.shared import shared_path

KINDS = {"object", "attr", "action", "notification", "device", "metric", "event", "unit", "site", "code"}


def test_codes_of_common_devices_have_their_reference_names():
    assert name_of(Code(2, 19384)) == "MDC_PULS_OXIM_SAT_O2"
    assert code_of("MDC_PULS_OXIM_PULS_RATE") == Code(2, 18458)
    assert term_of(code_of("MDC_DIM_PERCENT")).ucum == "%"
    assert term_of(Code(2, 19384)).code.context_free == 150456
    assert term_of(Code(2, 19384)).loinc == "2708-6"


def test_nomenclature_tables_equal_the_rows_of_the_reference():
    with shared_path("reference/nomenclature.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        term = term_of(Code(int(row["partition"]), int(row["code"])))
        assert term.code.context_free == int(row["cf_code10"])
        ours = (term.ref_id, term.kind, term.units, term.ucum, term.display, term.loinc, term.loinc_display)
        assert ours == (
            row["ref_id"],
            row["kind"],
            row["ucum"],
            row["ucum_default"],
            row["display"],
            row["loinc"],
            row["loinc_display"],
        )
    assert len(all_terms()) == len(rows)


def test_every_term_is_found_by_its_code_and_by_its_name():
    for term in all_terms():
        assert term_of(term.code) is term
        assert name_of(term.code) == term.ref_id
        assert code_of(term.ref_id) == PREFERRED.get(term.ref_id, term.code)


def test_nomenclature_table_rows_are_well_formed_and_have_unique_codes():
    terms = all_terms()
    assert len({term.code for term in terms}) == len(terms)
    for term in terms:
        assert term.kind in KINDS
        # The standard's registry prefixes a name with MDCX_ while it is proposed and not yet adopted.
        assert term.ref_id.startswith(("X_PRIVATE_",) if term.partition == 1024 else ("MDC_", "MDCX_"))
        assert 0 <= term.number <= 0xFFFF
        assert term.display
        assert bool(term.loinc) == bool(term.loinc_display)
        assert all(term.units.split("|")) or not term.units
        assert (term.kind == "unit") == (term.partition == 4)


def test_every_name_with_two_codes_has_a_preferred_code():
    by_name: dict[str, set[Code]] = {}
    for term in all_terms():
        by_name.setdefault(term.ref_id, set()).add(term.code)
    assert {name for name, codes in by_name.items() if len(codes) > 1} == set(PREFERRED)
    assert all(PREFERRED[name] in by_name[name] for name in PREFERRED)


def test_code_ranges_of_the_nomenclature_tables_do_not_overlap():
    for (partition, _, last, _), (next_partition, first, _, _) in pairwise(TABLES):
        assert partition < next_partition or (partition == next_partition and last + 1 == first)


def test_defibrillator_metrics_have_private_codes_and_public_units():
    energy = code_of("X_PRIVATE_06")
    assert (energy.partition, energy.code >= 0xF000, term_of(energy).ucum) == (1024, True, "J")
    units = {term.ucum for term in all_terms() if term.partition == 1024}
    assert {"J", "Ohm", "mA", "/min", "mm"} <= units
    assert {"J", "Ohm", "mA", "/min", "mm"} <= {term.ucum for term in all_terms() if term.kind == "unit"}


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_name_of_any_code_is_resolved_to_that_code(partition, number):
    code = Code(partition, number)
    assert term_of(code).code == code
    back = code_of(name_of(code))
    assert back == code or name_of(back) == name_of(code)


def test_unknown_nomenclature_code_becomes_a_term_named_by_its_numbers():
    term = term_of(Code(2, 61731))
    assert (term.ref_id, term.kind, term.display, term.units, term.ucum) == ("2:61731", "unknown", "2:61731", "", "")
    assert (term.loinc, term.loinc_display, term.code) == ("", "", Code(2, 61731))
    assert code_of("2:61731") == Code(2, 61731)


@pytest.mark.parametrize(
    "name", ["", "MDC_NO_SUCH_THING", "2:", ":5", "2:65536", "-1:5", "2:٣", "1:2:3", "2: 5", "0x2:5"]
)
def test_unknown_nomenclature_name_raises_an_error_that_quotes_the_name(name):
    with pytest.raises(UnknownName) as unknown:
        code_of(name)
    assert repr(name) in str(unknown.value)
