"""A text that is not a UCUM unit is refused, and units of different quantities are distinguished."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.nomenclature import all_terms
from protocols.ucum import NUMBER, TEXT_LENGTH_MAX, dimension_of, same_quantity, without_annotations


@pytest.mark.contract("C-126")
def test_every_ucum_unit_of_the_nomenclature_is_parsed() -> None:
    units = {unit for term in all_terms() for unit in term.units.split("|") if unit}
    assert len(units) > 200
    assert all(isinstance(dimension_of(unit), tuple) for unit in units)


@pytest.mark.parametrize(
    ("unit", "other"),
    [
        ("mm[Hg]", "kPa"),
        ("cm[H2O]", "mbar"),
        ("Cel", "[degF]"),
        ("Cel", "K"),
        ("{beat}/min", "/min"),
        ("/min", "Hz"),
        ("L/min", "mL/s"),
        ("cm[H2O]/(L/s)", "cm[H2O].s/L"),
        ("kg/m2", "g.m-2"),
        ("J", "N.m"),
        ("mV", "uV"),
        ("10*9/L", "/uL"),
        ("m/s2", "m.s-2"),
        ("%", "1"),
    ],
)
def test_units_of_one_quantity_are_recognised_as_the_same_quantity(unit: str, other: str) -> None:
    assert same_quantity(unit, other)


@pytest.mark.parametrize(
    ("unit", "other"),
    [("mmol/L", "mg/dL"), ("mmol/L", "/L"), ("%", "mm[Hg]"), ("[iU]/L", "U/L"), ("min", "/min"), ("V", "A")],
)
def test_units_of_different_quantities_are_distinguished(unit: str, other: str) -> None:
    assert not same_quantity(unit, other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "furlong",
        "mmHg",
        "bpm",
        "°C",
        "celsius",
        "m/",
        "m//s",
        "m s",
        "(m",
        "m)",
        "m^2",
        "m10",
        "m0",
        "m-0",
        "0",
        "kmin",
        "mkg",
        "{beat",
        "beat}",
        "/",
        ".",
        "%%",
        "m\n",
        "((((((m))))))",
        "m" * (TEXT_LENGTH_MAX + 1),
    ],
)
@pytest.mark.contract("A-105", "S-156")
def test_text_that_is_not_a_unit_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        dimension_of(text)


def test_unit_names_take_precedence_over_metric_prefixes() -> None:
    assert dimension_of("cd").luminosity == 1
    assert dimension_of("Pa").mass == 1
    assert dimension_of("min").time == 1
    assert dimension_of("mm[Hg]") == dimension_of("Pa")


def test_annotation_does_not_change_the_dimension_of_a_unit() -> None:
    assert dimension_of("{score}") == NUMBER
    assert without_annotations("{beat}/min") == "/min"
    assert without_annotations("{score}") == "1"


@given(st.text(max_size=80) | st.text(alphabet="mgsLkc[]{}()./%10*-+ ", max_size=80))
def test_any_text_is_parsed_or_raises_a_remote_protocol_error(text: str) -> None:
    refused = False
    try:
        dimension_of(text)
    except RemoteProtocolError:
        refused = True
    assert refused or 1 <= len(text) <= TEXT_LENGTH_MAX
