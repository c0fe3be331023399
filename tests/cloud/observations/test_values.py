"""Every kind of value is read back unchanged from its two columns."""

import pytest

from cloud.clinical.observations.values import value_columns, value_of
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Special, Value


@pytest.mark.parametrize(
    "value",
    [98.0, -0.5, 5e-324, 0x8001, 7, "sinus\u0000rhythm", Code(2, 61731), *Special, (120.0, 80.0, Special.NRES), ()],
    ids=repr,
)
def test_a_value_survives_the_row_with_its_kind(value: Value):
    back = value_of(*value_columns(value))
    assert (back, type(back)) == (value, type(value))


def test_a_number_is_a_number_to_the_database_and_samples_are_no_value():
    assert value_columns(98.0) == (98.0, None)
    assert value_columns(None) == (None, None)
    assert value_columns(Special.NAN) == (None, '{"special":"NaN"}')
