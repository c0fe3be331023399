"""Every kind of observation value is stored in two columns and read back unchanged."""

import pytest

from cloud.clinical.observations.values import value_columns, value_of
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Special, Value


@pytest.mark.parametrize(
    "value",
    [98.0, -0.5, 5e-324, 0x8001, 7, "sinus\u0000rhythm", Code(2, 61731), *Special, (120.0, 80.0, Special.NRES), ()],
    ids=repr,
)
def test_observation_value_is_read_from_its_columns_with_its_original_type(value: Value):
    back = value_of(*value_columns(value))
    assert (back, type(back)) == (value, type(value))


def test_numeric_values_are_stored_in_the_number_column_and_special_values_in_the_json_column():
    assert value_columns(98.0) == (98.0, None)
    assert value_columns(None) == (None, None)
    assert value_columns(Special.NAN) == (None, '{"special":"NaN"}')
